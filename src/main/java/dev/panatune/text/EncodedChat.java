package dev.panatune.text;

/**
 * Tokens to train on.
 *
 * @param ids ids of all tokens
 * @param target for each token, whether the model is trained to produce it
 */
public record EncodedChat(int[] ids, boolean[] target) {
  public EncodedChat {
    if (ids.length != target.length) {
      throw new IllegalArgumentException(ids.length + " ids, but " + target.length + " targets");
    }
  }

  /** How many tokens the model is trained to produce. */
  public int targetCount() {
    int count = 0;
    for (boolean one : target) {
      count += one ? 1 : 0;
    }
    return count;
  }
}
