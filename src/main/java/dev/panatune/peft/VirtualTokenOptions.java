package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;

/** {@link PromptTuningConfig} and {@link PrefixTuningConfig} in PEFT's form of named options. */
final class VirtualTokenOptions {
  /** What the model decides: PEFT writes these, and here they are not read but from the model. */
  private static final Set<String> OF_THE_MODEL =
      Set.of("num_attention_heads", "num_layers", "num_transformer_submodules", "token_dim");

  private static final Set<String> COMMON =
      Set.of("modules_to_save", "num_virtual_tokens", "peft_type", "task_type");
  private static final Set<String> UNSUPPORTED = Set.of("tokenizer_kwargs");

  static final Set<String> PROMPT =
      Set.of("prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path");
  static final Set<String> PREFIX =
      Set.of("encoder_hidden_size", "init_weights", "prefix_projection");

  private final PeftOptions options;

  VirtualTokenOptions(String method, Map<String, ?> options) {
    this.options = new PeftOptions(method, options);
  }

  static void checkCount(int numVirtualTokens) {
    if (numVirtualTokens < 1) {
      throw new ConfigurationException(
          "num_virtual_tokens must be at least 1, not " + numVirtualTokens);
    }
  }

  void refuseUnknown(Set<String> own) {
    options.refuseUnknown(COMMON, OF_THE_MODEL, UNSUPPORTED, own);
  }

  PromptTuningConfig prompt() {
    TaskType task = common(PeftType.PROMPT_TUNING);
    return new PromptTuningConfig(
        count(),
        init(),
        Optional.ofNullable(options.text("prompt_tuning_init_text", null)),
        Optional.ofNullable(options.text("tokenizer_name_or_path", null)),
        task);
  }

  PrefixTuningConfig prefix() {
    TaskType task = common(PeftType.PREFIX_TUNING);
    options.expect("init_weights", "zero");
    return new PrefixTuningConfig(
        count(),
        options.flag("prefix_projection", false),
        options.value("encoder_hidden_size") == null
            ? OptionalInt.empty()
            : OptionalInt.of(options.integer("encoder_hidden_size", 0)),
        options.value("init_weights") != null,
        task);
  }

  static Map<String, Object> write(PromptTuningConfig config) {
    Map<String, Object> map = common(config, config.numVirtualTokens(), config.taskType());
    map.put("prompt_tuning_init", config.promptTuningInit().name());
    map.put("prompt_tuning_init_text", config.promptTuningInitText().orElse(null));
    map.put("tokenizer_name_or_path", config.tokenizerNameOrPath().orElse(null));
    return map;
  }

  static Map<String, Object> write(PrefixTuningConfig config) {
    Map<String, Object> map = common(config, config.numVirtualTokens(), config.taskType());
    map.put(
        "encoder_hidden_size",
        config.encoderHiddenSize().isPresent() ? config.encoderHiddenSize().getAsInt() : null);
    map.put("init_weights", config.zeroInit() ? "zero" : null);
    map.put("prefix_projection", config.prefixProjection());
    return map;
  }

  private static Map<String, Object> common(PeftConfig config, int count, TaskType task) {
    Map<String, Object> map = new TreeMap<>();
    map.put("num_virtual_tokens", count);
    map.put("peft_type", config.peftType().name());
    map.put("task_type", task.name());
    if (task == TaskType.SEQ_CLS) {
      map.put("modules_to_save", task.withHeads(List.of()));
    }
    return map;
  }

  /** Whole modules are trained beside virtual tokens only where the task asks for its head. */
  private TaskType common(PeftType type) {
    options.expect("peft_type", type.name());
    options.refuseSet(UNSUPPORTED);
    TaskType task = TaskType.parse(options.value("task_type"));
    List<String> own = task.withHeads(List.of());
    for (String name : options.names("modules_to_save")) {
      if (!own.contains(name)) {
        throw new ConfigurationException(
            "modules_to_save: %s beside virtual tokens is not supported yet; leave it out"
                .formatted(name));
      }
    }
    return task;
  }

  private int count() {
    if (options.value("num_virtual_tokens") == null) {
      throw new ConfigurationException("num_virtual_tokens is missing");
    }
    return options.integer("num_virtual_tokens", 0);
  }

  private PromptTuningInit init() {
    String name = options.text("prompt_tuning_init", PromptTuningInit.RANDOM.name());
    return Arrays.stream(PromptTuningInit.values())
        .filter(init -> init.name().equals(name))
        .findFirst()
        .orElseThrow(() ->
            new ConfigurationException(
                "prompt_tuning_init: %s is none of %s"
                    .formatted(name, Arrays.toString(PromptTuningInit.values()))));
  }
}
