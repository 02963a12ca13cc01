package dev.panatune.bench;

import dev.panatune.error.ConfigurationException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** How people train LoRA in Python. */
public enum TrainPeer {
  /** PEFT as it is installed. */
  PEFT_LORA("peft-lora", TrainKind.LORA, false, false, false),
  /** The same, where glibc's malloc keeps large blocks. */
  PEFT_LORA_TUNED("peft-lora-tuned", TrainKind.LORA, true, false, false),
  /** The same with adapters in bfloat16. */
  PEFT_LORA_TUNED_BF16("peft-lora-tuned-bf16", TrainKind.LORA, true, true, false),
  /** PEFT under torch.compile. */
  PEFT_LORA_COMPILED("peft-lora-compiled", TrainKind.LORA, false, false, true),
  /** The same, where glibc's malloc keeps large blocks. */
  PEFT_LORA_COMPILED_TUNED("peft-lora-compiled-tuned", TrainKind.LORA, true, false, true),
  /** PEFT on bitsandbytes' NF4 as they are installed. */
  PEFT_QLORA("peft-qlora", TrainKind.QLORA, false, false, false),
  /** The same, where glibc's malloc keeps large blocks. */
  PEFT_QLORA_TUNED("peft-qlora-tuned", TrainKind.QLORA, true, false, false),
  /** The same with adapters in bfloat16. */
  PEFT_QLORA_TUNED_BF16("peft-qlora-tuned-bf16", TrainKind.QLORA, true, true, false);

  private final String id;
  private final TrainKind kind;
  private final boolean tunedMalloc;
  private final boolean bf16Adapters;
  private final boolean compiled;

  TrainPeer(
      String id, TrainKind kind, boolean tunedMalloc, boolean bf16Adapters, boolean compiled) {
    this.id = id;
    this.kind = kind;
    this.tunedMalloc = tunedMalloc;
    this.bf16Adapters = bf16Adapters;
    this.compiled = compiled;
  }

  /**
   * Returns the peer of a name.
   *
   * @throws ConfigurationException if there is none
   */
  public static TrainPeer of(String id) {
    List<String> known = Arrays.stream(values()).map(peer -> peer.id).toList();
    return Arrays.stream(values())
        .filter(peer -> peer.id.equals(id))
        .findFirst()
        .orElseThrow(() ->
            new ConfigurationException(
                "there is no peer '%s'; it is one of %s".formatted(id, known)));
  }

  /** Returns what it is compared with. */
  TrainKind kind() {
    return kind;
  }

  Side side(PythonPeers python, TrainJob job) {
    Map<String, Object> told =
        new LinkedHashMap<>(kind.of(job.in(python.dtype().orElse(job.dtype()))).toJson());
    told.put("bf16_adapters", bf16Adapters);
    told.put("compiled", compiled);
    return python.side(
        id, kind.id(), "train_peft.py", tunedMalloc ? PythonPeers.TUNED_MALLOC : Map.of(), told);
  }
}
