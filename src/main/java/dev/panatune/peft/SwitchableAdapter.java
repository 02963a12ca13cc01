package dev.panatune.peft;

import java.util.SequencedMap;

/** An adapter that may be one of several on a model: put in and out, merged, chosen for rows. */
interface SwitchableAdapter extends MergeableAdapter {
  /**
   * Lets it take part with all that it trained, or puts everything back as it was without it; it is
   * frozen for as long as it does not take part.
   */
  @Override
  void setEnabled(boolean enabled);

  /** Limits it to some rows of the batches that come; null ends that. */
  void setRows(AdapterState.Rows rows);

  @Override
  SequencedMap<String, MergeableLayer> layers();

  /** What is trained whole with it. */
  WholeParameters whole();

  /** Takes another configuration's scales; the rest of the two is alike. */
  void rescale(LoraConfig other);

  /** Takes it out of the model and frees it. */
  void remove();
}
