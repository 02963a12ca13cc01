package dev.panatune.train;

import dev.panatune.natives.KernelFacts;
import dev.panatune.tensor.Threads;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.Collectors;

/**
 * What decides which kernels run, and so the last bits of every result: a run that is resumed under
 * other values is as good, but not bit for bit the run that was stopped.
 *
 * @param facts such as the number of threads, by name
 */
record KernelChoice(SequencedMap<String, String> facts) {
  /** What holds in this process now. */
  static KernelChoice current() {
    SequencedMap<String, String> facts = new LinkedHashMap<>();
    facts.put("threads", Integer.toString(Threads.intraOp()));
    KernelFacts kernels = KernelFacts.in(Threads.describe());
    facts.put("cpu_capability", kernels.cpuCapability());
    facts.put("kernels", kernels.panatune());
    return new KernelChoice(facts);
  }

  /** What differs from {@code saved}, in words; empty if nothing does. */
  String difference(Map<String, String> saved) {
    return facts.entrySet().stream()
        .filter(fact -> !Objects.equals(fact.getValue(), saved.get(fact.getKey())))
        .map(fact ->
            "%s %s, not %s".formatted(fact.getKey(), fact.getValue(), saved.get(fact.getKey())))
        .collect(Collectors.joining("; "));
  }
}
