package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** {@link BottleneckConfig} in the form of named options. */
final class BottleneckOptions {
  private static final String DEFAULT_NAME = "default";

  /** The configurations that `adapters` names; what they leave out has BnConfig's default. */
  private static final Map<String, Map<String, Object>> PRESETS =
      Map.of(
          "seq_bn", sequential(false, true, "relu", true),
          "pfeiffer", sequential(false, true, "relu", true),
          "double_seq_bn", sequential(true, true, "swish", false),
          "houlsby", sequential(true, true, "swish", false),
          "par_bn", parallel(),
          "parallel", parallel());

  private static final Set<String> SUPPORTED =
      Set.of(
          "adapter_residual_before_ln",
          "config",
          "dropout",
          "init_weights",
          "is_parallel",
          "leave_out",
          "ln_after",
          "ln_before",
          "mh_adapter",
          "name",
          "non_linearity",
          "original_ln_after",
          "original_ln_before",
          "output_adapter",
          "peft_type",
          "reduction_factor",
          "residual_before_ln",
          "scaling",
          "task_type");

  /** Not supported unless they are off. */
  private static final Set<String> UNSUPPORTED =
      Set.of("cross_adapter", "init_weights_seed", "inv_adapter", "phm_layer", "use_gating");

  /** Settings of what is not supported, which change nothing without it. */
  private static final Set<String> IDLE =
      Set.of(
          "factorized_phm_W",
          "factorized_phm_rule",
          "hypercomplex_nonlinearity",
          "inv_adapter_reduction_factor",
          "learn_phm",
          "phm_bias",
          "phm_c_init",
          "phm_dim",
          "phm_init_range",
          "phm_rank",
          "shared_W_phm",
          "shared_phm_rule");

  private final PeftOptions options;

  BottleneckOptions(Map<String, ?> given) {
    options = new PeftOptions("adapter layers'", withPreset(given));
  }

  void refuseUnknown() {
    options.refuseUnknown(SUPPORTED, UNSUPPORTED, IDLE, Set.of("stochastic_depth"));
  }

  BottleneckConfig config() {
    options.expect("peft_type", PeftType.BOTTLENECK.name());
    options.expect("task_type", "CAUSAL_LM");
    options.refuseSet(UNSUPPORTED);
    if (options.number("stochastic_depth", 0) != 0) {
      throw new ConfigurationException("stochastic_depth is not supported: it is for images");
    }
    return new BottleneckConfig(
        options.text("name", DEFAULT_NAME),
        required("mh_adapter"),
        required("output_adapter"),
        reductionFactor(),
        options.text("non_linearity", "relu"),
        options.flag("original_ln_before", false),
        options.flag("original_ln_after", true),
        options.flag("ln_before", false),
        options.flag("ln_after", false),
        init(),
        options.flag("is_parallel", false),
        scaling(),
        residual(),
        options.flag("adapter_residual_before_ln", false),
        leaveOut(),
        options.number("dropout", 0));
  }

  /** The options of BnConfig, and the adapter's name. */
  static Map<String, Object> write(BottleneckConfig config) {
    Map<String, Object> map = new TreeMap<>();
    map.put("adapter_residual_before_ln", config.adapterResidualBeforeLn());
    map.put("dropout", config.dropout());
    map.put("init_weights", config.initWeights().label());
    map.put("is_parallel", config.isParallel());
    map.put("leave_out", config.leaveOut());
    map.put("ln_after", config.lnAfter());
    map.put("ln_before", config.lnBefore());
    map.put("mh_adapter", config.mhAdapter());
    map.put("name", config.name());
    map.put("non_linearity", config.nonLinearity());
    map.put("original_ln_after", config.originalLnAfter());
    map.put("original_ln_before", config.originalLnBefore());
    map.put("output_adapter", config.outputAdapter());
    map.put("peft_type", PeftType.BOTTLENECK.name());
    map.put("reduction_factor", json(config.reductionFactor()));
    map.put("residual_before_ln", config.residualBeforeLn());
    map.put(
        "scaling",
        switch (config.scaling()) {
          case BottleneckConfig.Scaling.Fixed fixed -> fixed.factor();
          case BottleneckConfig.Scaling.Learned _ -> "learned";
          case BottleneckConfig.Scaling.Channel _ -> "channel";
        });
    return map;
  }

  private static Object json(BottleneckConfig.ReductionFactor factor) {
    if (factor.ofLayers().isEmpty()) {
      return number(factor.common());
    }
    Map<String, Object> map = new TreeMap<>();
    map.put("default", number(factor.common()));
    factor.ofLayers().forEach((layer, value) -> map.put(layer.toString(), number(value)));
    return map;
  }

  private static Object number(double value) {
    return value == Math.rint(value) ? (Object) (int) value : (Object) value;
  }

  private static Map<String, Object> withPreset(Map<String, ?> given) {
    Map<String, Object> all = new HashMap<>();
    if (given.get("config") instanceof String preset) {
      if (!PRESETS.containsKey(preset)) {
        throw new ConfigurationException(
            "config: %s is not supported; supported are seq_bn, double_seq_bn and par_bn"
                .formatted(preset));
      }
      all.putAll(PRESETS.get(preset));
    }
    all.putAll(given);
    return all;
  }

  private static Map<String, Object> sequential(
      boolean attention, boolean output, String nonLinearity, boolean addedBefore) {
    return Map.of(
        "mh_adapter", attention,
        "output_adapter", output,
        "non_linearity", nonLinearity,
        "original_ln_before", addedBefore,
        "reduction_factor", 16);
  }

  private static Map<String, Object> parallel() {
    return Map.of(
        "mh_adapter",
        false,
        "output_adapter",
        true,
        "non_linearity",
        "relu",
        "reduction_factor",
        2,
        "init_weights",
        "mam_adapter",
        "is_parallel",
        true,
        "scaling",
        4.0);
  }

  private boolean required(String key) {
    if (options.value(key) == null) {
      throw new ConfigurationException(
          key
              + " is missing; say where adapters go, or name a config: seq_bn, double_seq_bn, par_bn");
    }
    return options.flag(key, false);
  }

  private BottleneckConfig.ReductionFactor reductionFactor() {
    Object value = options.value("reduction_factor");
    if (value instanceof Number number) {
      return BottleneckConfig.ReductionFactor.of(number.doubleValue());
    }
    if (!(value instanceof Map<?, ?> map) || !(map.get("default") instanceof Number common)) {
      throw new ConfigurationException(
          "reduction_factor: %s is neither a number nor a map from layers with a default, as"
                  .formatted(value)
              + " {\"0\": 4, \"default\": 16}");
    }
    Map<Integer, Double> ofLayers = new HashMap<>();
    map.forEach((key, factor) -> {
      if (!"default".equals(key)) {
        if (!String.valueOf(key).matches("\\d{1,6}") || !(factor instanceof Number number)) {
          throw new ConfigurationException(
              "reduction_factor: %s: %s is not a layer and its factor".formatted(key, factor));
        }
        ofLayers.put(Integer.valueOf(String.valueOf(key)), number.doubleValue());
      }
    });
    return new BottleneckConfig.ReductionFactor(common.doubleValue(), ofLayers);
  }

  private BottleneckInit init() {
    String name = options.text("init_weights", BottleneckInit.BERT.label());
    return BottleneckInit.parse(name)
        .orElseThrow(() ->
            new ConfigurationException(
                "init_weights: %s is none of bert, mam_adapter, houlsby".formatted(name)));
  }

  private BottleneckConfig.Scaling scaling() {
    return switch (options.value("scaling")) {
      case null -> new BottleneckConfig.Scaling.Fixed(1);
      case Number number -> new BottleneckConfig.Scaling.Fixed(number.doubleValue());
      case String word when word.equals("learned") -> new BottleneckConfig.Scaling.Learned();
      case String word when word.equals("channel") -> new BottleneckConfig.Scaling.Channel();
      default ->
          throw new ConfigurationException(
              "scaling: %s is neither a number, nor learned, nor channel"
                  .formatted(options.value("scaling")));
    };
  }

  /** `post_add` needs a norm after the addition, which these models do not have. */
  private boolean residual() {
    if ("post_add".equals(options.value("residual_before_ln"))) {
      throw new ConfigurationException(
          "residual_before_ln: post_add is for models with a norm after each addition");
    }
    return options.flag("residual_before_ln", true);
  }

  private List<Integer> leaveOut() {
    if (!(options.value("leave_out") instanceof Collection<?> layers)) {
      return List.of();
    }
    return layers.stream()
        .map(layer -> {
          if (layer instanceof Integer number && number >= 0) {
            return number;
          }
          throw new ConfigurationException("leave_out: " + layer + " is no layer's number");
        })
        .toList();
  }
}
