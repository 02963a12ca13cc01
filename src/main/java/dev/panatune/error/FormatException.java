package dev.panatune.error;

/** A file is not what it should be: truncated, contradictory, of an unknown kind (exit code 1). */
public final class FormatException extends PanatuneException {
  private static final long serialVersionUID = 1L;

  /** Creates it with a message that says what was wrong, with names and shapes, and what to do. */
  public FormatException(String message) {
    super(message);
  }

  /** Creates it with a message as above and what caused it. */
  public FormatException(String message, Throwable cause) {
    super(message, cause);
  }
}
