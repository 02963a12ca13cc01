package dev.panatune.peft;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** {@link Ia3Config} in PEFT's form of named options. */
final class Ia3Options {
  /**
   * {@code fan_in_fan_out} says how a weight is laid out, which the layer knows; PEFT too corrects
   * it, with a warning.
   */
  private static final Set<String> SUPPORTED =
      Set.of(
          "exclude_modules",
          "fan_in_fan_out",
          "feedforward_modules",
          "init_ia3_weights",
          "modules_to_save",
          "peft_type",
          "target_modules",
          "task_type");

  private final PeftOptions options;

  Ia3Options(Map<String, ?> options) {
    this.options = new PeftOptions("IA3", options);
  }

  void refuseUnknown() {
    options.refuseUnknown(SUPPORTED);
  }

  Ia3Config config() {
    options.expect("peft_type", "IA3");
    TaskType task = TaskType.parse(options.value("task_type"));
    options.flag("fan_in_fan_out", false);
    return new Ia3Config(
        options.targets("target_modules"),
        options.targetsOrNone("feedforward_modules"),
        options.targetsOrNone("exclude_modules"),
        task.withHeads(options.names("modules_to_save")),
        options.flag("init_ia3_weights", true));
  }

  static Map<String, Object> write(Ia3Config config) {
    Map<String, Object> options = new TreeMap<>();
    options.put("exclude_modules", json(config.excludeModules()));
    options.put("fan_in_fan_out", false);
    options.put("feedforward_modules", json(config.feedforwardModules()));
    options.put("init_ia3_weights", config.initIa3Weights());
    options.put(
        "modules_to_save", config.modulesToSave().isEmpty() ? null : config.modulesToSave());
    options.put("peft_type", "IA3");
    options.put("target_modules", json(config.targetModules()));
    options.put("task_type", TaskType.of(config.modulesToSave()).name());
    return options;
  }

  private static Object json(Optional<TargetModules> modules) {
    return modules.map(TargetModules::toJson).orElse(null);
  }
}
