package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import dev.panatune.format.AtomicFiles;
import dev.panatune.format.TensorFile;
import dev.panatune.format.WeightStore;
import dev.panatune.model.ModelConfig;
import dev.panatune.tensor.Tensor;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;

/** The two files of adapter layers, as `adapters` 1.2 writes and reads them. */
final class BottleneckFiles {
  static final String WEIGHTS = "adapter.safetensors";

  /** What `adapters` 1.2 models of the families here, and the class that it does so with. */
  static final Map<String, String> CLASSES =
      Map.of(
          "llama", "LlamaForCausalLM",
          "mistral", "MistralForCausalLM",
          "gpt2", "GPT2LMHeadModel");

  private static final String VERSION = "adapters.1.2.0";

  /** What `adapters` writes for all that is not supported here. */
  private static final Map<String, Object> OTHERS = new HashMap<>();

  static {
    OTHERS.put("cross_adapter", false);
    OTHERS.put("factorized_phm_W", true);
    OTHERS.put("factorized_phm_rule", false);
    OTHERS.put("hypercomplex_nonlinearity", "glorot-uniform");
    OTHERS.put("init_weights_seed", null);
    OTHERS.put("inv_adapter", null);
    OTHERS.put("inv_adapter_reduction_factor", null);
    OTHERS.put("learn_phm", true);
    OTHERS.put("phm_bias", true);
    OTHERS.put("phm_c_init", "normal");
    OTHERS.put("phm_dim", 4);
    OTHERS.put("phm_init_range", 1e-4);
    OTHERS.put("phm_layer", false);
    OTHERS.put("phm_rank", 1);
    OTHERS.put("shared_W_phm", false);
    OTHERS.put("shared_phm_rule", true);
    OTHERS.put("stochastic_depth", 0.0);
    OTHERS.put("use_gating", false);
  }

  private BottleneckFiles() {}

  /** Whether a configuration is one of `adapters`, and not PEFT's. */
  static boolean isOne(Map<String, ?> json) {
    return !json.containsKey("peft_type") && json.get("config") instanceof Map<?, ?>;
  }

  /** Reads the configuration of an {@code adapter_config.json}. */
  static BottleneckConfig config(Map<String, ?> json) {
    Map<String, Object> options = new HashMap<>();
    ((Map<?, ?>) json.get("config")).forEach((key, value) -> options.put((String) key, value));
    if (options.containsKey("architecture") && options.get("architecture") != null) {
      throw new ConfigurationException(
          "the architecture %s of adapter-hub is not supported; bottleneck adapters are"
              .formatted(options.get("architecture")));
    }
    options.put("name", json.get("name"));
    return new BottleneckOptions(options).config();
  }

  static void write(
      Path directory, BottleneckConfig config, ModelConfig model, BottleneckAdapter adapter) {
    SequencedMap<String, Tensor> tensors = adapter.stateDict();
    tensors.putAll(adapter.baseState());
    TensorFile.write(directory.resolve(WEIGHTS), tensors);
    Map<String, Object> options = new TreeMap<>(config.toMap());
    options.keySet().removeAll(List.of("name", "peft_type"));
    options.putAll(OTHERS);
    Map<String, Object> json = new TreeMap<>();
    json.put("config", options);
    json.put("hidden_size", model.hiddenSize());
    json.put("model_class", CLASSES.get(model.modelType()));
    json.put("model_name", "");
    json.put("model_type", model.modelType());
    json.put("name", config.name());
    json.put("version", VERSION);
    AtomicFiles.writeString(directory.resolve(AdapterFiles.CONFIG), AdapterFiles.prettyJson(json));
  }

  /** The file of weights: safetensors, or a torch.save archive. */
  static Path weights(Path directory) {
    return WeightStore.find(directory, "adapter", "pytorch_adapter");
  }
}
