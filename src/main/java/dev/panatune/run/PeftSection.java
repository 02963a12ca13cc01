package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.peft.PeftConfig;
import dev.panatune.peft.TaskType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What is trained beside a frozen model. */
public sealed interface PeftSection {

  /**
   * A fresh adapter.
   *
   * @param config PEFT's configuration of it
   */
  record NewAdapter(PeftConfig config) implements PeftSection {}

  /**
   * An adapter that is trained on.
   *
   * @param directory where it lies
   */
  record ExistingAdapter(Path directory) implements PeftSection {}

  static PeftSection read(Section section, Path runDirectory, TaskType task) {
    if (section.has("adapter_name_or_path")) {
      return existing(section, runDirectory);
    }
    Map<String, Object> options = new LinkedHashMap<>(section.all());
    options.putIfAbsent("peft_type", "LORA");
    options.putIfAbsent("task_type", task.name());
    PeftConfig config = section.named(() -> PeftConfig.fromMap(options));
    config.toMap().forEach(section::resolve);
    return new NewAdapter(config);
  }

  private static PeftSection existing(Section section, Path runDirectory) {
    String name = section.string("adapter_name_or_path", "");
    for (String key : section.all().keySet()) {
      if (!key.equals("adapter_name_or_path")) {
        throw new ConfigurationException(
            "%s beside adapter_name_or_path: the adapter that is there has its own; remove it"
                .formatted(section.at(key)));
      }
    }
    Path beside = runDirectory.resolve(name);
    Path directory = Files.isDirectory(beside) ? beside : Path.of(name);
    if (!Files.isDirectory(directory)) {
      throw new ConfigurationException(
          "%s: no directory %s".formatted(section.at("adapter_name_or_path"), name));
    }
    section.resolve("adapter_name_or_path", directory.toAbsolutePath().normalize().toString());
    return new ExistingAdapter(directory);
  }
}
