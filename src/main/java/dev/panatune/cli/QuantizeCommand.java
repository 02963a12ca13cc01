package dev.panatune.cli;

import dev.panatune.model.LoadOptions;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.run.AdapterChoice;
import dev.panatune.run.OpenModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Saves a model in 4 bit. */
@Command(
    name = "quantize",
    description = "Saves a model in 4 bit, as transformers and bitsandbytes load it.")
final class QuantizeCommand implements Callable<Integer> {
  @Mixin private ModelOption model;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      required = true,
      description = "Where to save it; must not exist, or be empty.")
  private Path out;

  @Option(
      names = "--quant-type",
      paramLabel = "TYPE",
      defaultValue = "nf4",
      description = "nf4 (default) or fp4.")
  private QuantType quantType;

  @Option(names = "--double-quant", description = "Quantise the quantisation constants too.")
  private boolean doubleQuant;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      defaultValue = "bf16",
      description = "Of what is not quantised, and to compute in: fp32, bf16 (default) or fp16.")
  private String dtype;

  @Mixin private ThreadOptions threads;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    DType type = DTypes.parse(dtype);
    Directories.requireFree("--out", out);
    QuantConfig config =
        new QuantConfig(quantType, QuantConfig.DEFAULT_BLOCK_SIZE, doubleQuant, type, List.of());
    LoadOptions options = new LoadOptions(Optional.of(type), Optional.of(config), Device.CPU);
    threads.apply();
    try (OpenModel open = OpenModel.open(model.reference(), AdapterChoice.NONE, options)) {
      open.pretrained().save(out, type);
    }
    spec.commandLine().getOut().println(out);
    return 0;
  }
}
