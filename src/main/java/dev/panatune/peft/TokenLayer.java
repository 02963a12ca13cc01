package dev.panatune.peft;

import java.util.List;

/** A layer of which some tokens' rows are replaced. */
interface TokenLayer extends MergeableLayer {
  /** The tokens. */
  List<Integer> ids();
}
