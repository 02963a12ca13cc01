package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.natives.FakePip.Outcome;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativesFetcherTest {
  @TempDir private Path root;

  private FakePip pip;
  private Path torch;

  @BeforeEach
  void serve() throws Exception {
    pip = new FakePip(root);
    torch = pip.home().resolve("natives/torch-1.0");
    pip.add(
        "torch",
        "torch",
        Map.of(
            "torch/lib/libtorch_cpu.so", "cpu",
            "torch/lib/libtorch_cuda.so", "cuda",
            "torch/include/a/b.h", "header",
            "torch/version.py", "__version__ = '1.0'"),
        "torch/lib/libtorch_cpu.so torch/include/ torch/version.py");
    pip.add("torch", "cudart", Map.of("nvidia/lib/libcudart.so", "rt"), "nvidia/lib/libcudart.so");
    pip.add(
        "bitsandbytes",
        "bitsandbytes",
        Map.of("bitsandbytes/libbitsandbytes_cpu.so", "bnb"),
        "bitsandbytes/");
  }

  @Test
  void unpacksWhatIsNamedAndNothingElse() throws Exception {
    Outcome outcome = FakePip.outcome(pip.fetch());

    assertEquals(0, outcome.code(), outcome::output);
    assertEquals("cpu", Files.readString(torch.resolve("torch/lib/libtorch_cpu.so")));
    assertEquals("header", Files.readString(torch.resolve("torch/include/a/b.h")));
    assertEquals("rt", Files.readString(torch.resolve("nvidia/lib/libcudart.so")));
    assertFalse(Files.exists(torch.resolve("torch/lib/libtorch_cuda.so")));
    assertTrue(
        Files.exists(
            pip.home().resolve("natives/bitsandbytes-1.0/bitsandbytes/libbitsandbytes_cpu.so")));
    assertFalse(Files.exists(pip.home().resolve("natives/.download")));
    assertTrue(outcome.output().contains("Fetching torch 1.0"), outcome::output);
  }

  @Test
  void fetchesNothingTheSecondTime() throws Exception {
    FakePip.outcome(pip.fetch());
    Outcome second = FakePip.outcome(pip.fetch());

    assertEquals(new Outcome(0, ""), second);
    assertEquals(List.of("torch", "cudart", "bitsandbytes"), pip.calls());
  }

  @Test
  void processesAtTheSameTimeFetchOnce() throws Exception {
    List<Process> processes = List.of(pip.fetch(), pip.fetch(), pip.fetch());
    for (Process process : processes) {
      Outcome outcome = FakePip.outcome(process);
      assertEquals(0, outcome.code(), outcome::output);
    }
    assertEquals(List.of("torch", "cudart", "bitsandbytes"), pip.calls());
  }

  @Test
  void refusesAnotherHash() throws Exception {
    Path wheel = pip.served().resolve("cudart.whl");
    byte[] bytes = Files.readAllBytes(wheel);
    bytes[bytes.length - 1] ^= 1;
    Files.write(wheel, bytes);

    Outcome outcome = FakePip.outcome(pip.fetch());

    assertEquals(1, outcome.code());
    assertTrue(outcome.output().contains("natives.lock pins"), outcome::output);
    assertFalse(Files.exists(torch.resolve("nvidia")));
  }

  @Test
  void goesOnAfterAKilledDownloadAtTheWheelWhereItStopped() throws Exception {
    Path hang = Files.createFile(pip.served().resolve("cudart.hang"));
    Process killed = pip.fetch();
    while (killed.isAlive() && !pip.calls().contains("cudart")) {
      Thread.sleep(20);
    }
    List<ProcessHandle> children = killed.descendants().toList();
    killed.destroyForcibly().waitFor();
    children.forEach(ProcessHandle::destroyForcibly);
    assertFalse(Files.exists(torch.resolve("nvidia")));
    Files.delete(hang);

    Outcome outcome = FakePip.outcome(pip.fetch());

    assertEquals(0, outcome.code(), outcome::output);
    assertEquals("rt", Files.readString(torch.resolve("nvidia/lib/libcudart.so")));
    assertEquals(List.of("torch", "cudart", "cudart", "bitsandbytes"), pip.calls());
  }

  @Test
  void passesOnWhatPipSays() throws Exception {
    Files.createFile(pip.served().resolve("torch.fail"));

    Outcome outcome = FakePip.outcome(pip.fetch());

    assertEquals(1, outcome.code());
    assertTrue(outcome.output().contains("torch==1.0 (exit code 7)"), outcome::output);
    assertTrue(outcome.output().contains("no such mirror"), outcome::output);
  }

  @Test
  void saysThatPipIsMissing() throws Exception {
    Outcome outcome = FakePip.outcome(pip.fetch(root.resolve("empty").toString()));

    assertEquals(1, outcome.code());
    assertTrue(outcome.output().contains("python3-pip"), outcome::output);
    assertTrue(outcome.output().contains("PANATUNE_TORCH"), outcome::output);
  }

  @Test
  void refusesFilesOutsideOfTheFolder() throws Exception {
    FakePip hostile = new FakePip(root.resolve("hostile"));
    hostile.add("torch", "torch", Map.of("torch/lib/../../../../evil", "x"), "torch/lib/");
    hostile.add("bitsandbytes", "bitsandbytes", Map.of("b", "x"), "b");

    Outcome outcome = FakePip.outcome(hostile.fetch());

    assertEquals(1, outcome.code());
    assertTrue(outcome.output().contains("outside of its folder"), outcome::output);
    assertFalse(Files.exists(hostile.home().resolve("evil")));
  }
}
