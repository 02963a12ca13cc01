package dev.panatune.model;

import dev.panatune.error.ConfigurationException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The head of a model that classifies whole texts.
 *
 * @param names of its numbers, in their order: the configuration's {@code id2label}
 * @param padId the id that rows are filled up with; empty where the configuration has none
 * @param problem what the numbers are
 */
public record ClassifierConfig(List<String> names, OptionalInt padId, Problem problem) {
  /** Copies the names. */
  public ClassifierConfig {
    names = List.copyOf(names);
  }

  /** What a classifier's numbers are, by the names of {@code problem_type}. */
  public enum Problem {
    /** Values: mean squared error. */
    REGRESSION("regression"),
    /** Logits of classes, of which one is right: cross-entropy. */
    SINGLE_LABEL("single_label_classification"),
    /** Logits of classes, each right or not: binary cross-entropy. */
    MULTI_LABEL("multi_label_classification");

    private final String id;

    Problem(String id) {
      this.id = id;
    }

    /** Returns the {@code problem_type}. */
    public String id() {
      return id;
    }
  }

  /** Returns how many numbers it gives for a text. */
  public int labels() {
    return names.size();
  }

  /** Returns the names that transformers gives to classes that have none. */
  public static List<String> unnamed(int labels) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < labels; i++) {
      names.add("LABEL_" + i);
    }
    return names;
  }

  /**
   * Returns the names of an {@code id2label} in the order of its ids.
   *
   * @throws ConfigurationException if the ids are not the numbers from 0 on
   */
  public static List<String> named(Map<?, ?> id2label) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < id2label.size(); i++) {
      Object name = id2label.containsKey(i) ? id2label.get(i) : id2label.get(String.valueOf(i));
      if (name == null) {
        throw new ConfigurationException(
            "id2label names %d classes, and none of them is %d: the ids are the numbers from 0 on"
                .formatted(id2label.size(), i));
      }
      names.add(name.toString());
    }
    return names;
  }

  /**
   * Returns where a text's numbers are read off: at its last token that is no padding. As in
   * transformers, a token of the padding's id is padding wherever it is.
   */
  public int position(int[] ids) {
    int last = ids.length - 1;
    if (padId.isEmpty()) {
      return last;
    }
    while (last > 0 && ids[last] == padId.getAsInt()) {
      last--;
    }
    return last;
  }
}
