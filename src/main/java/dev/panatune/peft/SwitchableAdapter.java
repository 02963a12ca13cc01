package dev.panatune.peft;

import java.util.SequencedMap;

/** An adapter that may be one of several on a model: put in and out, merged, chosen for rows. */
interface SwitchableAdapter extends Adapter {
  /**
   * Lets it take part with all that it trained, or puts everything back as it was without it; it is
   * frozen for as long as it does not take part.
   */
  @Override
  void setEnabled(boolean enabled);

  /** Leaves the layers as they are though it takes part: their weights have it in them. */
  void setBypassed(boolean bypassed);

  /** Limits it to some rows of the batches that come; null ends that. */
  void setRows(AdapterState.Rows rows);

  /** Its layers, by the paths that they had in the model. */
  SequencedMap<String, MergeableLayer> layers();

  /** What is trained whole with it. */
  WholeParameters whole();

  /** Takes another configuration's scales; the rest of the two is alike. */
  void rescale(LoraConfig other);

  /** Takes it out of the model and frees it. */
  void remove();
}
