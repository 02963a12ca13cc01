package dev.panatune.cli;

import dev.panatune.generate.GenerationResult;
import dev.panatune.generate.Generator;
import dev.panatune.run.OpenModel;
import dev.panatune.run.Prompt;
import dev.panatune.text.Message;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Talks with a model. */
@Command(
    name = "chat",
    description = "Talks with a model, line by line. /reset begins anew, /exit or Ctrl-D ends.")
final class ChatCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;
  @Mixin private SamplingOptions sampling;

  @Option(names = "--system", paramLabel = "TEXT", description = "What the model is to be.")
  private String system;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    PrintWriter err = spec.commandLine().getErr();
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (OpenModel open = model.open()) {
      List<Message> messages = beginning();
      for (String line = ask(err, in); line != null; line = ask(err, in)) {
        switch (line.strip()) {
          case "" -> {}
          case "/exit" -> {
            return 0;
          }
          case "/reset" -> messages = beginning();
          default -> {
            messages.add(new Message("user", line));
            messages.add(new Message("assistant", answer(open, messages)));
          }
        }
      }
    }
    return 0;
  }

  private List<Message> beginning() {
    List<Message> messages = new ArrayList<>();
    if (system != null) {
      messages.add(new Message("system", system));
    }
    return messages;
  }

  private static String ask(PrintWriter err, BufferedReader in) throws IOException {
    err.print("> ");
    err.flush();
    return in.readLine();
  }

  private String answer(OpenModel open, List<Message> messages) {
    PrintWriter out = spec.commandLine().getOut();
    GenerationResult result =
        new Generator(open.pretrained())
            .generate(
                Prompt.encodeChat(open.tokenizer(), messages),
                sampling.config(),
                text -> {
                  out.print(text);
                  out.flush();
                });
    out.println();
    out.flush();
    return result.text();
  }
}
