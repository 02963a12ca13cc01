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

  /** The job as this kind does it. */
  TrainJob of(TrainJob job) {
    return job.quantized(this == QLORA);
  }
}
