package dev.panatune.quant;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.Suggestion;
import dev.panatune.tensor.DType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * {@link QuantConfig} under the names of transformers' class of this name: {@code
 * quantization_config} in a model's {@code config.json}, and the keys that people write.
 */
public final class BitsAndBytesConfig {
  private static final String METHOD = "quant_method";
  private static final String LOAD_IN_4BIT = "load_in_4bit";
  private static final String LOAD_IN_8BIT = "load_in_8bit";
  private static final String QUANT_TYPE = "bnb_4bit_quant_type";
  private static final String DOUBLE_QUANT = "bnb_4bit_use_double_quant";
  private static final String COMPUTE_DTYPE = "bnb_4bit_compute_dtype";
  private static final String QUANT_STORAGE = "bnb_4bit_quant_storage";
  private static final String SKIP_MODULES = "llm_int8_skip_modules";
  private static final String BITSANDBYTES = "bitsandbytes";

  private static final Set<String> KNOWN =
      Set.of(
          METHOD,
          LOAD_IN_4BIT,
          LOAD_IN_8BIT,
          "_" + LOAD_IN_4BIT,
          "_" + LOAD_IN_8BIT,
          QUANT_TYPE,
          DOUBLE_QUANT,
          COMPUTE_DTYPE,
          QUANT_STORAGE,
          SKIP_MODULES,
          "llm_int8_threshold",
          "llm_int8_enable_fp32_cpu_offload",
          "llm_int8_has_fp16_weight");

  private BitsAndBytesConfig() {}

  /**
   * Reads a configuration. What is not said is as in transformers: FP4, no double quantisation,
   * products in float32, the output head alone stays dense.
   *
   * @return empty if it does not ask for 4 bits
   * @throws ConfigurationException if it asks for what is not supported, or a key is unknown
   */
  public static Optional<QuantConfig> parse(Map<String, ?> values) {
    String method = get(values, METHOD, String.class, BITSANDBYTES);
    if (!method.equals(BITSANDBYTES)) {
      throw new ConfigurationException(
          "Weights quantised by %s are not supported: use a checkpoint of bitsandbytes, or one that"
                  .formatted(method)
              + " is not quantised");
    }
    for (String key : values.keySet()) {
      if (!KNOWN.contains(key)) {
        throw new ConfigurationException(
            "Unknown key %s in a quantisation configuration%s"
                .formatted(
                    key,
                    Suggestion.nearest(key, KNOWN)
                        .map(near -> "; did you mean " + near + "?")
                        .orElse("")));
      }
    }
    if (get(values, LOAD_IN_8BIT, Boolean.class, false)) {
      throw new ConfigurationException(
          LOAD_IN_8BIT
              + " is not supported: use "
              + LOAD_IN_4BIT
              + ", or a model that is not"
              + " quantised");
    }
    if (!get(values, LOAD_IN_4BIT, Boolean.class, false)) {
      return Optional.empty();
    }
    List<?> skipped = get(values, SKIP_MODULES, List.class, List.of());
    return Optional.of(
        new QuantConfig(
            QuantType.parse(get(values, QUANT_TYPE, String.class, QuantType.FP4.id())),
            QuantConfig.DEFAULT_BLOCK_SIZE,
            get(values, DOUBLE_QUANT, Boolean.class, false),
            DType.parse(get(values, COMPUTE_DTYPE, String.class, DType.FLOAT32.torchName())),
            skipped.stream().map(String::valueOf).toList()));
  }

  private static <T> T get(Map<String, ?> values, String key, Class<T> kind, T otherwise) {
    Object value = values.get(key);
    if (value == null) {
      return otherwise;
    }
    if (!kind.isInstance(value)) {
      throw new ConfigurationException(
          "%s must be a %s, not %s".formatted(key, kind.getSimpleName(), value));
    }
    return kind.cast(value);
  }

  /** Returns what transformers writes into {@code config.json} for it, keys in its order. */
  public static Map<String, Object> toJson(QuantConfig config) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("_" + LOAD_IN_4BIT, true);
    json.put("_" + LOAD_IN_8BIT, false);
    json.put(COMPUTE_DTYPE, config.computeDtype().torchName());
    json.put(QUANT_STORAGE, DType.UINT8.torchName());
    json.put(QUANT_TYPE, config.type().id());
    json.put(DOUBLE_QUANT, config.doubleQuant());
    json.put("llm_int8_enable_fp32_cpu_offload", false);
    json.put("llm_int8_has_fp16_weight", false);
    json.put(SKIP_MODULES, config.skipModules().isEmpty() ? null : config.skipModules());
    json.put("llm_int8_threshold", 6.0);
    json.put(LOAD_IN_4BIT, true);
    json.put(LOAD_IN_8BIT, false);
    json.put(METHOD, BITSANDBYTES);
    return json;
  }
}
