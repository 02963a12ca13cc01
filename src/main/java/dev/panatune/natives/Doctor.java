package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Finds out what is installed and what is wrong with it. Nothing is loaded into this process: what
 * loading does is tried in another one.
 */
public final class Doctor {
  private final NativesLocator locator;
  private final Path home;
  private final ProbeRunner probe;
  private final List<String> problems = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();

  Doctor(Map<String, String> environment, Path home, Platform platform) {
    this.locator = new NativesLocator(environment, home, NativesLock.load(), platform);
    this.home = home;
    this.probe = new ProbeRunner(environment);
  }

  /** Examines this process's environment. Takes a second or two. */
  public static Diagnosis examine() {
    return new Doctor(System.getenv(), PanatuneHome.path(), Platform.current()).diagnose();
  }

  Diagnosis diagnose() {
    Optional<LocatedLibrary> torch = torch();
    Optional<LocatedLibrary> bitsandbytes = locator.findBitsandbytes();
    checkFiles(torch, bitsandbytes);
    if (bitsandbytes.isEmpty()) {
      notes.add(
          "bitsandbytes is not installed, and Panatune's own kernels are used in its place: run"
              + " 'panatune setup' to fetch it.");
    }
    Optional<ProcessFacts> process = problems.isEmpty() ? process() : Optional.empty();
    process.ifPresent(this::judge);
    return new Diagnosis(
        JavaFacts.current(),
        locator.platform(),
        CpuFacts.current(),
        home,
        installed(NativesLock.TORCH, torch),
        installed(NativesLock.BITSANDBYTES, bitsandbytes),
        process,
        problems,
        notes);
  }

  private InstalledLibrary installed(String name, Optional<LocatedLibrary> found) {
    return new InstalledLibrary(name, locator.lock().version(name), found);
  }

  private Optional<LocatedLibrary> torch() {
    try {
      return Optional.of(locator.requireTorch());
    } catch (NativeLibraryException e) {
      problems.add(e.getMessage());
      return Optional.empty();
    }
  }

  private void checkFiles(Optional<LocatedLibrary> torch, Optional<LocatedLibrary> bitsandbytes) {
    InstallationCheck check = new InstallationCheck(locator.platform());
    torch.ifPresent(check::torch);
    bitsandbytes.ifPresent(check::bitsandbytes);
    try {
      check.shim(ShimFile.locate(locator.platform(), home));
    } catch (NativeLibraryException e) {
      problems.add(e.getMessage());
    }
    problems.addAll(check.problems());
  }

  private Optional<ProcessFacts> process() {
    try {
      return Optional.of(probe.run());
    } catch (NativeLibraryException e) {
      problems.add(e.getMessage());
      return Optional.empty();
    }
  }

  private void judge(ProcessFacts process) {
    notes.addAll(process.problems());
    if (process.openMpRuntimes().size() > 1) {
      problems.add(
          process.openMpRuntimes().size()
              + " OpenMP runtimes are in one process and fight for the cores: "
              + process.openMpRuntimes().stream()
                  .map(Path::toString)
                  .collect(Collectors.joining(", "))
              + ". Take the one that does not belong to libtorch out of LD_PRELOAD, or load Panatune"
              + " before the library that brings it.");
    }
    if (process.threadsObserved() < process.threads()) {
      problems.add(
          "Only "
              + process.threadsObserved()
              + " of "
              + process.threads()
              + " threads ran in a parallel loop: the native library was built without OpenMP. Build"
              + " Panatune anew: 'mvn clean package', or bin/panatune.");
    }
  }
}
