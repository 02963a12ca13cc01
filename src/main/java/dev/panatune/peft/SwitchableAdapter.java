package dev.panatune.peft;

import java.util.Set;

/** An adapter that may be one of several on a model, put in and out. */
interface SwitchableAdapter extends Adapter {
  /**
   * Lets it take part with all that it trained, or puts everything back as it was without it; it is
   * frozen for as long as it does not take part.
   */
  @Override
  void setEnabled(boolean enabled);

  /** What it puts something else in the place of, by name: of two that do, one can be active. */
  Set<String> replaced();

  /** Takes it out of the model and frees it. */
  void remove();
}
