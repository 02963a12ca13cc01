package dev.panatune.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ElfFileTest {
  private static final int HEADERS = 4096;

  @TempDir private Path folder;

  private byte[] shim;
  private Path file;

  @BeforeEach
  void readShim() throws IOException {
    shim = Files.readAllBytes(ShimFile.locate(Platform.current(), folder));
    file = folder.resolve("libx.so");
  }

  private ElfFile read(byte[] contents) throws IOException {
    Files.write(file, contents);
    return ElfFile.read(file, Platform.current());
  }

  @Test
  void tellsWhatALibraryNeeds() throws IOException {
    ElfFile elf = read(shim);
    assertEquals("libtorch_cpu.so", elf.needed().get(0));
    assertTrue(elf.needed().contains("libc10.so"), elf::toString);
    assertTrue(elf.needed().stream().noneMatch(OpenMpRuntimes::isOne), elf::toString);
  }

  @Test
  void refusesEveryTruncation() {
    for (int length : new int[] {0, 1, 63, 64, 500, shim.length / 2, shim.length - 1}) {
      assertThrows(
          FormatException.class, () -> read(Arrays.copyOf(shim, length)), length + " bytes");
    }
  }

  @Test
  void refusesAnotherProcessorsLibrary() throws IOException {
    Files.write(file, shim);
    String other = Platform.current().arch().equals("aarch64") ? "x86_64" : "aarch64";
    FormatException e =
        assertThrows(FormatException.class, () -> ElfFile.read(file, new Platform("linux", other)));
    assertTrue(e.getMessage().contains("another processor"), e::getMessage);
  }

  @Test
  void anyDamageOfTheHeadersIsRefusedOrRead() throws IOException {
    Random random = new Random(1);
    for (int i = 0; i < 2000; i++) {
      byte[] damaged = Arrays.copyOf(shim, HEADERS);
      for (int flips = 0; flips < 3; flips++) {
        damaged[random.nextInt(512)] = (byte) random.nextInt();
      }
      assertThrows(FormatException.class, () -> read(damaged));
    }
  }
}
