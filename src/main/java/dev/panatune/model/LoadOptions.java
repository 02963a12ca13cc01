package dev.panatune.model;

import dev.panatune.quant.QuantConfig;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import java.util.Optional;

/**
 * How a model is loaded.
 *
 * @param dtype the type of its weights; empty for the stored one (of a quantised GGUF: bf16)
 * @param quantization how its linear layers are quantised while loading; empty for not at all. As
 *     in transformers the embedding never is, and the head only where {@code skipModules} is given
 *     and does not name it
 * @param device where the model goes
 */
public record LoadOptions(
    Optional<DType> dtype, Optional<QuantConfig> quantization, Device device) {

  /** Returns the options to load a model as it is stored, on the CPU. */
  public static LoadOptions stored() {
    return new LoadOptions(Optional.empty(), Optional.empty(), Device.CPU);
  }

  /** Returns the same with another dtype. */
  public LoadOptions withDtype(DType other) {
    return new LoadOptions(Optional.of(other), quantization, device);
  }

  /** Returns the same with 4-bit linear layers. */
  public LoadOptions withQuantization(QuantConfig config) {
    return new LoadOptions(dtype, Optional.of(config), device);
  }
}
