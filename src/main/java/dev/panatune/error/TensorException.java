package dev.panatune.error;

/** A tensor operation failed, or a tensor was used after close or by the wrong thread. */
public final class TensorException extends PanatuneException {
  private static final long serialVersionUID = 1L;

  /** Creates it with a message that says what was wrong, with names and shapes, and what to do. */
  public TensorException(String message) {
    super(message);
  }

  /** Creates it with a message as above and what caused it. */
  public TensorException(String message, Throwable cause) {
    super(message, cause);
  }
}
