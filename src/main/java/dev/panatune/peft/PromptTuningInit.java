package dev.panatune.peft;

/** What virtual tokens start as. */
public enum PromptTuningInit {
  /** The embeddings of a text's tokens, repeated or cut to the number of virtual tokens. */
  TEXT,
  /** The embeddings of tokens that are drawn from the vocabulary. */
  SAMPLE_VOCAB,
  /** Draws from the standard normal distribution. */
  RANDOM
}
