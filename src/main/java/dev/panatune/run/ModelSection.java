package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.LoadOptions;
import dev.panatune.quant.QuantConfig;
import dev.panatune.quant.QuantType;
import dev.panatune.tensor.DType;
import dev.panatune.tensor.Device;
import java.util.List;
import java.util.Optional;

/**
 * The model that a run starts from.
 *
 * @param path a directory, a GGUF file or a package's file, as it was written
 * @param dtype the type of the weights; empty for the stored one
 * @param quantization how to load in 4 bit; empty for not at all
 */
public record ModelSection(String path, Optional<DType> dtype, Optional<QuantConfig> quantization) {

  /** What the loader is told. */
  public LoadOptions loadOptions() {
    return new LoadOptions(dtype, quantization, Device.CPU);
  }

  static ModelSection read(Section section) {
    section
        .alias("torch_dtype", "dtype")
        .alias("name_or_path", "path")
        .alias("model_name_or_path", "path");
    section.refuse("revision", "models come from a path or a package, which have no revisions");
    section.refuse("load_in_8bit", "load in 4 bit, or not quantised", false);
    section.refuse("trust_remote_code", "code from a model's repository is never run", false);
    section.refuse("attn_implementation", "there is one, chosen for the machine", "sdpa", "eager");
    section.refuse("device_map", "the whole model is on one device", "auto", "cpu");
    section.refuse("quantization_config", "write its keys, load_in_4bit, bnb_4bit_*, in model");
    String path =
        section
            .string("path")
            .orElseThrow(() ->
                new ConfigurationException(
                    section.at("path")
                        + " is missing: a model's directory, a .gguf file, or"
                        + " pypi:PACKAGE==VERSION/path/in/the/wheel"));
    Optional<DType> dtype =
        section
            .string("dtype")
            .filter(name -> !name.equals("auto"))
            .map(name -> dtype(section, "dtype", name));
    Optional<QuantConfig> quantization = quantization(section);
    section.finish();
    return new ModelSection(path, dtype, quantization);
  }

  private static Optional<QuantConfig> quantization(Section section) {
    boolean quantize = section.bool("load_in_4bit", false);
    String type = section.string("bnb_4bit_quant_type", "fp4");
    boolean doubleQuant = section.bool("bnb_4bit_use_double_quant", false);
    String compute = section.string("bnb_4bit_compute_dtype", "float32");
    List<String> skipped = section.strings("llm_int8_skip_modules");
    section.refuse("bnb_4bit_quant_storage", "codes are stored as bytes", "uint8");
    section.refuse("llm_int8_threshold", "it belongs to 8 bit", 6, 6.0);
    section.refuse("llm_int8_has_fp16_weight", "it belongs to 8 bit", false);
    section.refuse("llm_int8_enable_fp32_cpu_offload", "it belongs to 8 bit", false);
    return quantize
        ? Optional.of(
            new QuantConfig(
                section.named(() -> QuantType.parse(type)),
                QuantConfig.DEFAULT_BLOCK_SIZE,
                doubleQuant,
                dtype(section, "bnb_4bit_compute_dtype", compute),
                skipped))
        : Optional.empty();
  }

  private static DType dtype(Section section, String key, String name) {
    try {
      return DType.parse(name);
    } catch (RuntimeException e) {
      throw new ConfigurationException(
          "%s is '%s'; it is float32, bfloat16 or float16".formatted(section.at(key), name), e);
    }
  }
}
