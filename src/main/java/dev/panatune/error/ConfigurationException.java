package dev.panatune.error;

/** Bad usage: a command line, a run's YAML or an option that cannot be obeyed (exit code 2). */
public final class ConfigurationException extends PanatuneException {
  private static final long serialVersionUID = 1L;

  /** Creates it with a message that says what was wrong, with names and shapes, and what to do. */
  public ConfigurationException(String message) {
    super(message);
  }

  /** Creates it with a message as above and what caused it. */
  public ConfigurationException(String message, Throwable cause) {
    super(message, cause);
  }
}
