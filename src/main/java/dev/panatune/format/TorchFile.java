package dev.panatune.format;

import dev.panatune.error.FormatException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * An archive of {@code torch.save} (a zip file: {@code .bin}, {@code .pt}, {@code .pth}) whose
 * directory and pickle have been read and checked in full: every tensor lies inside of its storage,
 * and every storage inside of the file. Nothing of the pickle is run: see {@link PickleReader}. The
 * data are not touched, and no file stays open.
 */
public final class TorchFile {
  /** The first byte of a pickle, with which files begin that PyTorch wrote before 1.6. */
  static final byte LEGACY_START = (byte) 0x80;

  /** As many bytes as describe a hundred thousand tensors. */
  private static final long LARGEST_PICKLE = 32L << 20;

  private static final String PICKLE = "data.pkl";
  private static final String SCRIPT = "constants.pkl";
  private static final String BYTE_ORDER = "byteorder";
  private static final String STORAGE = "storage";

  private final Path path;
  private final Map<String, ZipMember> members;
  private final Map<String, TorchTensorInfo> tensors;
  private final Map<String, Object> metadata;

  private TorchFile(Path path, Map<String, ZipMember> members, TorchContents contents) {
    this.path = path;
    this.members = members;
    this.tensors = Collections.unmodifiableMap(contents.tensors());
    this.metadata = Collections.unmodifiableMap(contents.metadata());
  }

  /**
   * Reads the directory and the pickle of {@code path}.
   *
   * @throws FormatException if the file is missing, truncated, contradictory, of the form that
   *     PyTorch wrote before 1.6, or needs Python objects that are not tensors or plain containers;
   *     the message names the tensor, object or field
   */
  public static TorchFile open(Path path) {
    return open(path, HeapBudget.standard());
  }

  static TorchFile open(Path path, HeapBudget budget) {
    try (RegularFile file = RegularFile.open(path)) {
      file.requireNoLfsPointer();
      requireZip(file);
      Map<String, ZipMember> members = ZipDirectory.read(file, budget);
      String root = root(members, file);
      requireLittleEndian(members.get(root + BYTE_ORDER), file);
      Map<String, TorchStorage> storages = new HashMap<>();
      Object value =
          PickleReader.read(
              content(members.get(root + PICKLE), file, LARGEST_PICKLE),
              path,
              budget,
              id -> storage(id, root, members, storages, path));
      return new TorchFile(path, members, TorchContents.of(value, file, budget));
    }
  }

  private static void requireZip(RegularFile file) {
    ByteBuffer start = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    if (file.size() < Integer.BYTES) {
      throw bad(file.path(), "is too short for a torch.save archive; copy it again");
    }
    file.read(start, 0);
    if (start.get(0) == LEGACY_START) {
      throw bad(
          file.path(),
          "is pickled Python in the form that PyTorch wrote before 1.6, which is not read; load it"
              + " with torch.load(weights_only=True) and save it again with torch.save or as"
              + " safetensors");
    }
    if (start.getInt(0) != ZipDirectory.LOCAL_MAGIC) {
      throw bad(file.path(), "is no torch.save archive: it is not a zip file");
    }
  }

  /** Returns the directory that all members are in, which PyTorch takes from the first. */
  private static String root(Map<String, ZipMember> members, RegularFile file) {
    String first = members.isEmpty() ? "" : members.keySet().iterator().next();
    String root = first.substring(0, first.indexOf('/') + 1);
    if (!members.containsKey(root + PICKLE)) {
      throw bad(
          file.path(), "is a zip file, but no torch.save archive: it has no " + root + PICKLE);
    }
    if (members.containsKey(root + SCRIPT)) {
      throw bad(
          file.path(),
          "is a TorchScript program, which is not read; save the state_dict of the model");
    }
    return root;
  }

  private static void requireLittleEndian(ZipMember order, RegularFile file) {
    if (order != null
        && !new String(content(order, file, 16), StandardCharsets.US_ASCII).equals("little")) {
      throw bad(file.path(), "was saved on a big-endian machine, which is not read");
    }
  }

  private static TorchStorage storage(
      PickleValue.Tuple id,
      String root,
      Map<String, ZipMember> members,
      Map<String, TorchStorage> storages,
      Path path) {
    List<Object> parts = id.items();
    if (parts.size() != 5
        || !STORAGE.equals(parts.get(0))
        || !(parts.get(1) instanceof PickleValue.StorageClass kind)
        || !(parts.get(2) instanceof String key)
        || !(parts.get(4) instanceof Long elements)) {
      throw bad(path, "has a persistent id that is no storage's");
    }
    ZipMember member = members.get(root + "data/" + key);
    if (member == null) {
      throw bad(path, "lacks the storage " + Printable.quoted(root + "data/" + key));
    }
    int size = kind.elements().byteSize();
    if (elements < 0 || member.size() / size != elements || member.size() % size != 0) {
      throw bad(
          path,
          "has %d bytes for the storage %s, which should hold %d elements of %s"
              .formatted(
                  member.size(),
                  Printable.quoted(member.name()),
                  elements,
                  kind.elements().torchName()));
    }
    TorchStorage storage = new TorchStorage(member.name(), kind.elements(), kind.typed(), elements);
    TorchStorage known = storages.putIfAbsent(member.name(), storage);
    if (known != null && !known.equals(storage)) {
      throw bad(path, "uses the storage " + Printable.quoted(member.name()) + " in two types");
    }
    return storage;
  }

  /** Returns the path as it was given. */
  public Path path() {
    return path;
  }

  /** Returns the tensors by name, in the order of the pickle. */
  public Map<String, TorchTensorInfo> tensors() {
    return tensors;
  }

  /**
   * Returns what the archive holds beside tensors, by the same kind of names: {@code String},
   * {@code Boolean}, {@code Long} ({@code BigInteger} over 2^63 - 1), {@code Double} or null.
   */
  public Map<String, Object> metadata() {
    return metadata;
  }

  /**
   * Returns the description of one tensor.
   *
   * @throws FormatException if there is none of that name
   */
  public TorchTensorInfo tensor(String name) {
    TorchTensorInfo info = tensors.get(name);
    if (info == null) {
      throw new FormatException(SafetensorsFile.missing(name, Printable.path(path), tensors));
    }
    return info;
  }

  /** Returns where a tensor's storage lies. */
  ZipMember storageOf(TorchTensorInfo info) {
    return members.get(info.storage());
  }

  /** Reads a whole member of at most {@code largest} bytes. */
  static byte[] content(ZipMember member, RegularFile file, long largest) {
    if (member.size() > largest || member.storedSize() > largest) {
      throw bad(
          file.path(),
          "has "
              + member.size()
              + " bytes as "
              + Printable.quoted(member.name())
              + "; at most "
              + largest
              + " are read");
    }
    byte[] content = new byte[(int) member.size()];
    if (member.deflated()) {
      InflatedMember.read(member, file, MemorySegment.ofArray(content));
      return content;
    }
    file.read(ByteBuffer.wrap(content), member.offset());
    CRC32 crc = new CRC32();
    crc.update(content);
    if (crc.getValue() != member.crc()) {
      throw bad(
          file.path(),
          "is damaged: "
              + Printable.quoted(member.name())
              + " has another checksum; copy it again");
    }
    return content;
  }

  private static FormatException bad(Path path, String what) {
    return new FormatException(Printable.path(path) + " " + what);
  }
}
