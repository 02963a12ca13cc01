package dev.panatune.cli;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.LoadOptions;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.run.AdapterChoice;
import dev.panatune.run.OpenModel;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Which model to open, and how. */
final class ModelOptions {
  @Mixin private ModelOption model;

  @Mixin private AdapterOptions adapters;

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "fp32, bf16 or fp16; the stored type by default (bf16 for a quantised GGUF).")
  private String dtype;

  @Option(names = "--load-in-4bit", description = "Quantise the weights while loading.")
  private boolean loadIn4bit;

  @Option(
      names = "--quant-type",
      paramLabel = "TYPE",
      defaultValue = "nf4",
      description = "With --load-in-4bit: nf4 (default) or fp4.")
  private QuantType quantType;

  @Option(
      names = "--double-quant",
      description = "With --load-in-4bit: quantise the quantisation constants too.")
  private boolean doubleQuant;

  @Mixin private ThreadOptions threads;

  /** Loads the model, and the adapters that are named. */
  OpenModel open() {
    LoadOptions options = loadOptions();
    AdapterChoice choice = adapters.choice();
    threads.apply();
    return OpenModel.open(model.reference(), choice, options);
  }

  boolean hasAdapter() {
    return !adapters.choice().isEmpty();
  }

  /** Refuses options that do not go together, before any work is done. */
  void check() {
    loadOptions();
    adapters.choice();
  }

  boolean loadsIn4bit() {
    return loadIn4bit;
  }

  private LoadOptions loadOptions() {
    Optional<DType> type = Optional.ofNullable(dtype).map(DTypes::parse);
    if (!loadIn4bit) {
      if (doubleQuant) {
        throw new ConfigurationException("--double-quant needs --load-in-4bit");
      }
      return new LoadOptions(type, Optional.empty(), Device.CPU);
    }
    DType compute = type.orElse(DType.BFLOAT16);
    return new LoadOptions(
        type,
        Optional.of(
            new QuantConfig(
                quantType, QuantConfig.DEFAULT_BLOCK_SIZE, doubleQuant, compute, List.of())),
        Device.CPU);
  }
}
