package dev.panatune.model;

import java.util.OptionalInt;

/**
 * The head of a model that classifies whole texts.
 *
 * @param labels how many numbers it gives for a text
 * @param padId the id that rows are filled up with; empty where the configuration has none
 * @param problem what the numbers are
 */
public record ClassifierConfig(int labels, OptionalInt padId, Problem problem) {
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
}
