package dev.panatune.cli;

import dev.panatune.natives.Diagnosis;
import dev.panatune.natives.Doctor;
import dev.panatune.natives.InstalledLibrary;
import dev.panatune.natives.KernelFacts;
import dev.panatune.natives.ProcessFacts;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says what is installed, and what is wrong with it. */
@Command(
    name = "doctor",
    description = "Says what is installed and what is wrong with it; exit code 1 if anything is.")
final class DoctorCommand implements Callable<Integer> {
  @Option(names = "--json", description = "Print one JSON object and nothing else.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Diagnosis diagnosis = Doctor.examine();
    PrintWriter out = spec.commandLine().getOut();
    Map<String, Object> facts = facts(diagnosis);
    if (json) {
      diagnosis
          .process()
          .ifPresent(process -> facts.put("torch_config", process.description().lines().toList()));
      facts.put("problems", diagnosis.problems());
      facts.put("notes", diagnosis.notes());
      JsonOutput.print(out, facts);
    } else {
      facts.forEach((name, value) -> out.println("%-20s %s".formatted(name, text(value))));
      diagnosis.notes().forEach(note -> out.println("note: " + note));
      diagnosis.problems().forEach(problem -> out.println("problem: " + problem));
      if (diagnosis.healthy()) {
        out.println("All is well.");
      }
    }
    return diagnosis.healthy() ? 0 : 1;
  }

  private static Map<String, Object> facts(Diagnosis diagnosis) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("panatune", Version.text());
    facts.put("java", diagnosis.java().version() + ", " + diagnosis.java().home());
    facts.put("platform", diagnosis.platform().id());
    facts.put("cpu", diagnosis.cpu().model());
    facts.put("cpus", diagnosis.cpu().logicalCpus());
    facts.put("cpu_features", diagnosis.cpu().features());
    facts.put("cache", diagnosis.home().toString());
    facts.put("torch", library(diagnosis.torch()));
    facts.put("bitsandbytes", library(diagnosis.bitsandbytes()));
    diagnosis.process().ifPresent(process -> add(facts, process));
    return facts;
  }

  private static void add(Map<String, Object> facts, ProcessFacts process) {
    facts.put("threads", process.threads());
    facts.put("threads_observed", process.threadsObserved());
    facts.put("openmp", process.openMpRuntimes().stream().map(Path::toString).toList());
    KernelFacts kernels = KernelFacts.in(process.description());
    facts.put("cpu_capability", kernels.cpuCapability());
    facts.put("kernels", kernels.panatune());
  }

  private static String library(InstalledLibrary library) {
    return library
        .found()
        .map(found -> "%s, from %s: %s".formatted(found.version(), found.origin(), found.folder()))
        .orElse("not installed; needed is " + library.pinned());
  }

  private static String text(Object value) {
    return value instanceof List<?> list
        ? String.join(" ", list.stream().map(String::valueOf).toList())
        : String.valueOf(value);
  }
}
