package dev.panatune.bench;

import dev.panatune.natives.CpuFacts;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.Map;

/** What was measured on. */
record Machine(CpuFacts cpu, String java, LocalDate date) {
  static Machine here() {
    return new Machine(
        CpuFacts.current(), System.getProperty("java.vm.version"), LocalDate.now(ZoneOffset.UTC));
  }

  String describe() {
    return "%s, %d cores, %s; Java %s; %s"
        .formatted(cpu.model(), cpu.logicalCpus(), String.join(" ", cpu.features()), java, date);
  }

  Map<String, Object> toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("cpu", cpu.model());
    json.put("cores", cpu.logicalCpus());
    json.put("features", cpu.features());
    json.put("java", java);
    json.put("date", date.toString());
    return json;
  }
}
