package dev.panatune.peft;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** What a model is adapted to, by PEFT's {@code task_type}. */
public enum TaskType {
  /** Predicting the next token. */
  CAUSAL_LM,
  /** Telling the class of a text. Its head is trained and saved whole, asked or not. */
  SEQ_CLS;

  /**
   * Reads a {@code task_type}; nothing is {@link #CAUSAL_LM}.
   *
   * @throws ConfigurationException if it is one of PEFT's others, or unknown
   */
  public static TaskType parse(Object value) {
    return Arrays.stream(values())
        .filter(task -> value == null ? task == CAUSAL_LM : task.name().equals(value))
        .findFirst()
        .orElseThrow(() ->
            new ConfigurationException(
                "task_type: %s is not supported yet; supported are %s"
                    .formatted(
                        value,
                        Arrays.stream(values())
                            .map(Enum::name)
                            .collect(Collectors.joining(", ")))));
  }

  /** The task that a configuration with these {@code modules_to_save} is for. */
  static TaskType of(List<String> modulesToSave) {
    return modulesToSave.containsAll(WholeParameters.CLASSIFIER_HEADS) ? SEQ_CLS : CAUSAL_LM;
  }

  /** The {@code modules_to_save} with those that the task itself asks for. */
  List<String> withHeads(List<String> modulesToSave) {
    Set<String> names = new LinkedHashSet<>(modulesToSave);
    if (this == SEQ_CLS) {
      names.addAll(WholeParameters.CLASSIFIER_HEADS);
    }
    return List.copyOf(names);
  }
}
