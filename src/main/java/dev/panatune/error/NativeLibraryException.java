package dev.panatune.error;

/** The native libraries are missing, broken, or of another version. */
public final class NativeLibraryException extends PanatuneException {
  private static final long serialVersionUID = 1L;

  /** Creates it with a message that says what was wrong, with names and shapes, and what to do. */
  public NativeLibraryException(String message) {
    super(message);
  }

  /** Creates it with a message as above and what caused it. */
  public NativeLibraryException(String message, Throwable cause) {
    super(message, cause);
  }
}
