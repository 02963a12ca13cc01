package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On copies of this machine's libtorch, made of links, with one thing wrong at a time. */
class DoctorTest {
  @TempDir private Path root;

  private final List<Path> links = new ArrayList<>();

  private static Diagnosis diagnose(Map<String, String> changes) {
    Map<String, String> environment = new HashMap<>(System.getenv());
    environment.putAll(changes);
    Path home = PanatuneHome.path(environment, Path.of(System.getProperty("user.home")));
    return new Doctor(environment, home, Platform.current()).diagnose();
  }

  /** A Python environment that links to the real one's files; links can be replaced. */
  private Path linkedTorch() throws IOException {
    Path real = NativesLocator.current().requireTorch().folder();
    Path torch = root.resolve("torch");
    link(real.resolve("lib"), torch.resolve("lib"), "lib(c10|torch_cpu|gomp.*)\\.so.*");
    // A copy, because a test writes it: through a link it would write the real one.
    Files.writeString(torch.resolve("version.py"), "__version__ = '2.13.0'\n");
    link(real.getParent(), root, "nvidia|(torch|nvidia_cuda_(runtime|cupti))-.*\\.dist-info");
    return torch;
  }

  /** The caller must delete a link before it writes under its name. */
  private void link(Path from, Path to, String names) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> entries = Files.list(from)) {
      for (Path entry : entries.toList()) {
        if (entry.getFileName().toString().matches(names)) {
          links.add(Files.createSymbolicLink(to.resolve(entry.getFileName()), entry.toRealPath()));
        }
      }
    }
  }

  /** Before JUnit sees them, which warns of links that lead out of its folder. */
  @AfterEach
  void removeLinks() throws IOException {
    for (Path link : links) {
      Files.deleteIfExists(link);
    }
  }

  private static Map<String, String> at(Path torch) {
    return Map.of("PANATUNE_TORCH", torch.toString());
  }

  private static String onlyProblem(Diagnosis diagnosis) {
    assertFalse(diagnosis.healthy());
    assertEquals(1, diagnosis.problems().size(), () -> diagnosis.problems().toString());
    return diagnosis.problems().getFirst();
  }

  @Test
  void aHealthyMachineIsHealthy() {
    Diagnosis diagnosis = diagnose(Map.of("OMP_NUM_THREADS", "2"));

    assertEquals(List.of(), diagnosis.problems());
    ProcessFacts process = diagnosis.process().orElseThrow();
    assertEquals(1, process.openMpRuntimes().size(), process::toString);
    assertEquals(2, process.threads());
    assertEquals(2, process.threadsObserved());
    KernelFacts kernels = KernelFacts.in(process.description());
    assertNotEquals("unknown", kernels.cpuCapability(), process::description);
    assertTrue(kernels.panatune().startsWith("isa="), process::description);
    assertTrue(diagnosis.cpu().logicalCpus() > 0);
    assertTrue(
        diagnosis.java().version().startsWith(Integer.toString(Runtime.version().feature())));
  }

  @Test
  void aLinkedCopyIsHealthyToo() throws IOException {
    assertEquals(List.of(), diagnose(at(linkedTorch())).problems());
  }

  @Test
  void aTruncatedLibrary() throws IOException {
    Path torch = linkedTorch();
    Path library = torch.resolve("lib/libtorch_cpu.so");
    byte[] head = new byte[1 << 20];
    try (FileChannel in = FileChannel.open(library)) {
      in.read(ByteBuffer.wrap(head));
    }
    Files.delete(library);
    Files.write(library, head);

    String problem = onlyProblem(diagnose(at(torch)));

    assertTrue(problem.contains(library + " is cut off"), problem);
    assertTrue(problem.contains("unset PANATUNE_TORCH"), problem);
  }

  @Test
  void aDamagedLibrary() throws IOException {
    Path torch = linkedTorch();
    Path library = torch.resolve("lib/libc10.so");
    Path original = library.toRealPath();
    Files.delete(library);
    Files.copy(original, library);
    try (FileChannel out = FileChannel.open(library, StandardOpenOption.WRITE)) {
      out.write(ByteBuffer.wrap(new byte[64]), Files.size(library) / 2);
    }

    String problem = onlyProblem(diagnose(at(torch)));

    assertTrue(problem.contains(library + " is not the file that was installed"), problem);
  }

  @Test
  void anotherVersion() throws IOException {
    Path torch = linkedTorch();
    Files.writeString(torch.resolve("version.py"), "__version__ = '2.9.1'\n");

    String problem = onlyProblem(diagnose(at(torch)));

    assertTrue(problem.contains("libtorch 2.9.1 in " + torch), problem);
    assertTrue(problem.contains("libtorch 2.13.0"), problem);
  }

  @Test
  void twoOpenMpRuntimes() throws IOException {
    Path second = root.resolve("second/libgomp.so.1");
    Files.createDirectories(second.getParent());
    Path lib = NativesLocator.current().requireTorch().folder().resolve("lib");
    Files.copy(LibraryLoader.openMpRuntimes(lib).getFirst(), second);

    Diagnosis diagnosis = diagnose(Map.of("LD_PRELOAD", second.toString()));

    String problem = onlyProblem(diagnosis);
    assertTrue(problem.startsWith("2 OpenMP runtimes"), problem);
    assertTrue(problem.contains(second.toString()), problem);
    assertTrue(problem.contains("LD_PRELOAD"), problem);
  }

  @Test
  void missingLibraries() {
    Map<String, String> environment =
        Map.of(
            "PANATUNE_TORCH", "", "LIBTORCH", "", "PANATUNE_HOME", root.resolve("none").toString());

    Diagnosis diagnosis = diagnose(environment);

    String problem = onlyProblem(diagnosis);
    assertTrue(problem.contains("panatune setup"), problem);
    assertTrue(diagnosis.process().isEmpty());
    assertEquals(1, diagnosis.notes().size(), () -> diagnosis.notes().toString());
  }

  @Test
  void aLibraryThatEndsTheProcess() throws Exception {
    Path torch = linkedTorch();
    Path openMp = LibraryLoader.openMpRuntimes(torch.resolve("lib")).getFirst();
    Files.delete(openMp);
    Path source = root.resolve("crash.c");
    Files.writeString(
        source,
        """
        #include <signal.h>
        __attribute__((constructor)) static void crash(void) { raise(SIGKILL); }
        """);
    Process compiler =
        new ProcessBuilder("cc", "-shared", "-fPIC", "-o", openMp.toString(), source.toString())
            .inheritIO()
            .start();
    assertEquals(0, compiler.waitFor());
    removeRecords();

    String problem = onlyProblem(diagnose(at(torch)));

    assertTrue(problem.contains("ended the process (signal 9)"), problem);
  }

  /** As in an unpacked libtorch distribution, which carries no list of hashes. */
  private void removeRecords() throws IOException {
    for (Path link : links) {
      if (link.toString().endsWith(".dist-info")) {
        Files.delete(link);
      }
    }
  }
}
