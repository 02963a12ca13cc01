package dev.panatune.bench;

import dev.panatune.format.GgmlType;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.PretrainedModel;
import dev.panatune.natives.PanatuneHome;
import dev.panatune.tensor.DType;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * One model in the forms that the sides of a benchmark read; made from a GGUF file once, in
 * Panatune's cache.
 *
 * @param directory for ours and for transformers: a Hugging Face directory in bf16
 * @param dense for llama.cpp: the same weights as a GGUF file in bf16
 * @param quantized for llama.cpp: the file as it was
 */
public record GgufForms(Path directory, Path dense, Path quantized) {
  /** Makes what is missing of a GGUF file's forms. */
  public static GgufForms of(Path gguf) {
    return of(gguf, PanatuneHome.path().resolve("bench"));
  }

  static GgufForms of(Path gguf, Path cache) {
    String name = gguf.getFileName().toString().replaceFirst("\\.gguf$", "");
    Path directory = cache.resolve(name);
    Path dense = cache.resolve(name + "-bf16.gguf");
    if (!Files.isDirectory(directory) || !Files.isRegularFile(dense)) {
      try (PretrainedModel model =
          PretrainedModel.load(gguf, LoadOptions.stored().withDtype(DType.BFLOAT16))) {
        model.saveGguf(dense, GgmlType.BF16);
        model.save(directory, DType.BFLOAT16);
      }
    }
    return new GgufForms(directory, dense, gguf.toAbsolutePath());
  }
}
