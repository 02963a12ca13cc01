package dev.panatune.cli;

import dev.panatune.generate.GenerationResult;
import dev.panatune.generate.Generator;
import dev.panatune.run.OpenModel;
import dev.panatune.run.Prompt;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Lets a model answer one prompt. */
@Command(name = "generate", description = "Lets a model answer one prompt.")
final class GenerateCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;
  @Mixin private SamplingOptions sampling;

  @Option(names = "--prompt", paramLabel = "TEXT", required = true, description = "The prompt.")
  private String prompt;

  @Option(
      names = "--prompt-format",
      paramLabel = "FORMAT",
      description =
          "raw: the text as it is; chat: as a question. Chat where the model has a template.")
  private Prompt.Format format;

  @Option(names = "--json", description = "Print one JSON object and nothing else.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    try (OpenModel open = model.open()) {
      int[] ids = Prompt.encode(open.tokenizer(), Optional.ofNullable(format), prompt);
      GenerationResult result =
          new Generator(open.pretrained())
              .generate(
                  ids,
                  sampling.config(),
                  text -> {
                    if (!json) {
                      out.print(text);
                      out.flush();
                    }
                  });
      if (json) {
        JsonOutput.print(out, object(result));
      } else {
        out.println();
      }
    }
    return 0;
  }

  private static Map<String, Object> object(GenerationResult result) {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("text", result.text());
    object.put("token_ids", result.tokenIds());
    object.put("prompt_token_ids", result.promptTokenIds());
    object.put("finish_reason", result.finishReason().toString());
    object.put("seconds", result.seconds());
    return object;
  }
}
