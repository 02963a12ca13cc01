package dev.panatune.model;

import dev.panatune.nn.RotaryTables;
import dev.panatune.tensor.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a forward pass needs to know of its tokens' places in the text.
 *
 * @param tables of each of the model's rotary embeddings
 * @param learned the rows of the table of positions [T, hidden], or [B, T, hidden] of packed texts;
 *     empty where there is none
 * @param firstKeys int64 [B, T]: where in its row each token's text begins; empty where a row is
 *     one text
 */
public record Positions(
    List<RotaryTables> tables, Optional<Tensor> learned, Optional<Tensor> firstKeys) {
  /** Returns the tables of a rotary embedding, or null for none. */
  RotaryTables rotary(OptionalInt index) {
    return index.isEmpty() ? null : tables.get(index.getAsInt());
  }
}
