package dev.panatune.bench;

import java.util.Locale;

/** What of ours trains. */
public enum TrainKind {
  /** Adapters on a dense base. */
  LORA,
  /** Adapters on a base in NF4 with double quantisation. */
  QLORA;

  /** Returns its name in the table. */
  String id() {
    return name().toLowerCase(Locale.ROOT);
  }
}
