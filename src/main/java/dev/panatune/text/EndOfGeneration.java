package dev.panatune.text;

import java.util.Set;
import java.util.TreeSet;

/** Which tokens end a generation: what the files say, and the well-known ends of a turn. */
final class EndOfGeneration {
  /** As llama.cpp knows them: many models end a turn with a token that is not their eos token. */
  private static final Set<String> WELL_KNOWN =
      Set.of(
          "<|eot_id|>",
          "<|im_end|>",
          "<|end|>",
          "<|return|>",
          "<|call|>",
          "<|flush|>",
          "<|calls|>",
          "<end_of_turn>",
          "<turn|>",
          "<|endoftext|>",
          "<|eom_id|>",
          "<EOT>",
          "_<EOT>",
          "[EOT]",
          "[EOS]",
          "<|end_of_text|>",
          "<|END_OF_TURN_TOKEN|>",
          "<end_of_utterance>",
          "<|user|>",
          "<eos>",
          "</s>");

  private EndOfGeneration() {}

  static Set<Integer> ids(Vocabulary vocabulary, TokenizerConfig config) {
    Set<Integer> ids = new TreeSet<>();
    vocabulary.added().stream()
        .filter(id -> WELL_KNOWN.contains(vocabulary.token(id)))
        .forEach(ids::add);
    // Where a model has channels, <|end|> closes one of them and the answer goes on.
    if (vocabulary.idOf("<|return|>").isPresent()) {
      vocabulary.idOf("<|end|>").ifPresent(ids::remove);
    }
    // GLM's turn ends where the user's begins; in other models the token only opens a turn.
    if (vocabulary.idOf("<|observation|>").isEmpty()) {
      vocabulary.idOf("<|user|>").ifPresent(ids::remove);
    }
    config.endIds().stream().filter(id -> id >= 0 && id < vocabulary.size()).forEach(ids::add);
    String eos = config.specialTokens().get("eos_token");
    if (eos != null) {
      vocabulary.idOf(eos).ifPresent(ids::add);
    }
    return ids;
  }
}
