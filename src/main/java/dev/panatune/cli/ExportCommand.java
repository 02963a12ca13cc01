package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.GgmlType;
import dev.panatune.model.LoadOptions;
import dev.panatune.model.ModelConfig;
import dev.panatune.run.AdapterChoice;
import dev.panatune.run.OpenModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Saves a model in another format. */
@Command(
    name = "export",
    description =
        "Saves a model in another format: a GGUF file, or a Hugging Face directory of safetensors.")
final class ExportCommand implements Callable<Integer> {
  private static final Map<String, GgmlType> TYPES =
      Map.of(
          "f32", GgmlType.F32, "f16", GgmlType.F16, "bf16", GgmlType.BF16, "q8_0", GgmlType.Q8_0);

  private static final Map<DType, GgmlType> STORED =
      Map.of(
          DType.FLOAT32, GgmlType.F32,
          DType.FLOAT16, GgmlType.F16,
          DType.BFLOAT16, GgmlType.BF16);

  @Mixin private ModelOption model;

  @Option(
      names = "--out",
      paramLabel = "FILE.gguf|DIR",
      required = true,
      description =
          "Where to save it: a name that ends with .gguf, or a directory that must not exist, or be"
              + " empty.")
  private Path out;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      description =
          "Of the matrices in a GGUF file: f32, f16, bf16 or q8_0; the stored by default.")
  private String type;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "Of the weights in a directory: fp32, bf16 or fp16; the stored by default.")
  private String dtype;

  @Mixin private ThreadOptions threads;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    boolean gguf = out.toString().endsWith(".gguf");
    refuseOther(gguf ? dtype : type, gguf ? "--dtype" : "--type", gguf);
    if (!gguf) {
      Directories.requireFree("--out", out);
    } else if (Files.exists(out)) {
      throw new ConfigurationException("--out %s is there already; name a new file".formatted(out));
    }
    Optional<GgmlType> ggmlType = Optional.ofNullable(type).map(ExportCommand::ggmlType);
    LoadOptions options =
        new LoadOptions(
            Optional.ofNullable(dtype).map(DTypes::parse), Optional.empty(), Device.CPU);
    threads.apply();
    try (OpenModel open = OpenModel.open(model.reference(), AdapterChoice.NONE, options)) {
      DType stored = open.model().namedParameters().values().iterator().next().dtype();
      if (gguf) {
        open.pretrained().saveGguf(out, ggmlType.orElse(STORED.get(stored)));
        noteWindow(open.model().config());
      } else {
        open.pretrained().save(out, stored);
      }
    }
    spec.commandLine().getOut().println(out);
    return 0;
  }

  /** The file says it, but llama.cpp, and transformers reading the file, know of no such window. */
  private void noteWindow(ModelConfig config) {
    if (config.modelType().equals("mistral")) {
      config.attention().windows().stream()
          .flatMapToInt(OptionalInt::stream)
          .findFirst()
          .ifPresent(window ->
              spec.commandLine()
                  .getErr()
                  .println(
                      ("note: sliding_window %d: llama.cpp has no windows in the architecture llama,"
                              + " so that texts longer than that give other results there")
                          .formatted(window)));
    }
  }

  private static void refuseOther(String value, String option, boolean gguf) {
    if (value != null) {
      throw new ConfigurationException(
          "%s is for %s; leave it out".formatted(option, gguf ? "a directory" : "a .gguf file"));
    }
  }

  private static GgmlType ggmlType(String name) {
    GgmlType type = TYPES.get(name.toLowerCase(Locale.ROOT));
    if (type == null) {
      throw new ConfigurationException("--type %s: it is f32, f16, bf16 or q8_0".formatted(name));
    }
    return type;
  }
}
