package dev.panatune.generate;

import java.util.Locale;

/** Why generation ended. */
public enum FinishReason {
  /** The model ended the text, or a stop string came up. */
  STOP,
  /** The limit of new tokens, or the model's context, was reached. */
  LENGTH;

  /** Returns the name as it is printed: {@code stop} or {@code length}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
