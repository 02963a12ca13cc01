package dev.panatune.peft;

import dev.panatune.model.PretrainedModel;
import java.util.Optional;

/**
 * Where an adapter's first values come from.
 *
 * @param stored whether a file's values replace those that it is made with
 * @param trainable whether it is going to be trained
 * @param pretrained the model with what belongs to it, where the caller has that
 */
record AdapterOrigin(boolean stored, boolean trainable, Optional<PretrainedModel> pretrained) {
  static final AdapterOrigin FRESH = new AdapterOrigin(false, true, Optional.empty());

  static AdapterOrigin freshOn(PretrainedModel pretrained) {
    return new AdapterOrigin(false, true, Optional.of(pretrained));
  }

  static AdapterOrigin stored(boolean trainable) {
    return new AdapterOrigin(true, trainable, Optional.empty());
  }
}
