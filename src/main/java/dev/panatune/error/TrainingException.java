package dev.panatune.error;

/** A training run cannot go on, for example because the loss is not a number. */
public final class TrainingException extends PanatuneException {
  private static final long serialVersionUID = 1L;

  /** Creates it with a message that says what was wrong, with names and shapes, and what to do. */
  public TrainingException(String message) {
    super(message);
  }

  /** Creates it with a message as above and what caused it. */
  public TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
