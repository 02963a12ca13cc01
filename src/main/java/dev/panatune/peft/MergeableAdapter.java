package dev.panatune.peft;

import java.util.SequencedMap;

/** An adapter that can become part of weights, for good or until that is undone. */
interface MergeableAdapter extends Adapter {
  /** Leaves the layers as they are though it takes part: their weights have it in them. */
  void setBypassed(boolean bypassed);

  /** What is trained whole with it. */
  WholeParameters whole();

  /** Its layers, by the paths that they had in the model. */
  SequencedMap<String, ? extends MergeableLayer> layers();
}
