package dev.panatune.run;

import dev.panatune.error.ConfigurationException;
import dev.panatune.model.CausalLM;
import dev.panatune.model.ClassifierConfig;
import dev.panatune.peft.Combination;
import dev.panatune.peft.PeftModel;
import dev.panatune.peft.TaskType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/**
 * The adapters to put on a model.
 *
 * @param directories where they lie, by name; they act together unless they are combined
 * @param combination makes one of them; empty for none
 */
public record AdapterChoice(
    SequencedMap<String, Path> directories, Optional<Combination> combination) {
  private static final String COMBINED = "combined";

  /** No adapter. */
  public static final AdapterChoice NONE =
      new AdapterChoice(new LinkedHashMap<>(), Optional.empty());

  /**
   * Reads adapters as people write them.
   *
   * @param options each a directory, or a name, an equals sign and a directory; the first without a
   *     name is {@code default}, others are {@code adapter2} and so on
   * @throws ConfigurationException if a name occurs twice
   */
  public static SequencedMap<String, Path> parse(List<String> options) {
    SequencedMap<String, Path> directories = new LinkedHashMap<>();
    for (String option : options) {
      int equals = Files.exists(Path.of(option)) ? -1 : option.indexOf('=');
      String number = "adapter" + (directories.size() + 1);
      String unnamed = directories.isEmpty() ? PeftModel.DEFAULT : number;
      String name = equals < 0 ? unnamed : option.substring(0, equals);
      if (directories.put(name, Path.of(option.substring(equals + 1))) != null) {
        throw new ConfigurationException("--adapter: the name " + name + " is given twice");
      }
    }
    return directories;
  }

  /** Whether there is none. */
  public boolean isEmpty() {
    return directories.isEmpty();
  }

  /**
   * The classes that the adapters tell, in their order, where they are for a classifier: by the run
   * file that a run left beside them, or else as many as their head has. Empty for others.
   */
  List<String> classes() {
    for (Path directory : directories.values()) {
      if (PeftModel.savedTask(directory) == TaskType.SEQ_CLS) {
        List<String> named = RunFile.classes(directory.resolve("run.yaml"));
        return named.isEmpty() ? ClassifierConfig.unnamed(PeftModel.savedLabels(directory)) : named;
      }
    }
    return List.of();
  }

  /** Loads them onto a model, frozen. */
  Optional<PeftModel> on(CausalLM model) {
    PeftModel adapted = null;
    for (Map.Entry<String, Path> entry : directories.entrySet()) {
      if (adapted == null) {
        adapted = PeftModel.load(model, entry.getValue(), false, entry.getKey());
      } else {
        adapted.loadAdapter(entry.getKey(), entry.getValue(), false);
      }
    }
    if (combination.isPresent() && adapted != null) {
      adapted.addWeightedAdapter(COMBINED, combination.get());
      adapted.setAdapter(COMBINED);
    } else if (directories.size() > 1) {
      adapted.setAdapter(directories.keySet().toArray(String[]::new));
    }
    return Optional.ofNullable(adapted);
  }
}
