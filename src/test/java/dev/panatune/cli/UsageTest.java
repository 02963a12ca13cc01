package dev.panatune.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UsageTest {
  @TempDir Path directory;

  @Test
  void noCommandAndAnUnknownOneAreBadUsage() {
    Outcome.of().failed(2, "a command is missing", "See panatune --help");
    Outcome.of("trian").failed(2, "trian");
  }

  @Test
  void anUnknownOptionIsRefusedByName() {
    Outcome.of("train", "run.yaml", "--restart").failed(2, "--restart");
    Outcome.of("generate", "--model", "m", "--prompt", "p", "--max-tokens", "5")
        .failed(2, "--max-tokens");
  }

  @Test
  void aMissingOptionIsNamed() {
    Outcome.of("eval", "--data", "d.jsonl").failed(2, "--model");
    Outcome.of("merge", "--model", "m", "--out", directory.resolve("o")).failed(2, "--adapter");
  }

  @Test
  void valuesAreChecked() {
    Outcome.of("generate", "--model", "m", "--prompt", "p", "--max-new-tokens", "x")
        .failed(2, "--max-new-tokens", "x");
    Outcome.of("eval", "--model", "m", "--data", "d", "--dtype", "int8").failed(2, "int8");
    Outcome.of("eval", "--model", "m", "--data", "d", "--double-quant")
        .failed(2, "--double-quant needs --load-in-4bit");
    Outcome.of("eval", "--model", "m", "--data", "d", "--metrics", "rouge")
        .failed(2, "rouge", "not supported yet");
    Outcome.of("eval", "--model", "m", "--data", "d", "--metrics", "perplexty")
        .failed(2, "did you mean perplexity?");
    Outcome.of("merge", "--model", "m", "--adapter", "a", "--out", "o", "--requantize")
        .failed(2, "--requantize needs --load-in-4bit");
  }

  @Test
  void everyCommandHasHelp() {
    String help = Outcome.of("--help").succeeded().out();
    for (String command :
        new String[] {
          "setup",
          "doctor",
          "train",
          "eval",
          "generate",
          "chat",
          "merge",
          "inspect",
          "quantize",
          "bench"
        }) {
      assertTrue(help.contains(command), help);
      assertTrue(Outcome.of(command, "--help").succeeded().out().contains("panatune " + command));
    }
    assertTrue(Outcome.of("--version").succeeded().out().startsWith("panatune "));
  }

  @Test
  void onlyDebugShowsTheStack() {
    Path none = directory.resolve("none.yaml");
    assertFalse(Outcome.of("train", none).failed(2, "no run file at").err().contains("\tat "));
    assertTrue(Outcome.of("train", none, "--debug").err().contains("\tat dev.panatune."));
  }
}
