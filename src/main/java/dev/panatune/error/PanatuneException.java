package dev.panatune.error;

/**
 * What every error of Panatune is.
 *
 * <p>The message is written for the person who reads it: what was wrong, with names and shapes, and
 * what to do. The command line prints it as it is.
 */
public class PanatuneException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Creates it with a message that says what was wrong, with names and shapes, and what to do. */
  public PanatuneException(String message) {
    super(message);
  }

  /** Creates it with a message as above and what caused it. */
  public PanatuneException(String message, Throwable cause) {
    super(message, cause);
  }
}
