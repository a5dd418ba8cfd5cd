package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.ffi.report.LoadReport;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where libraries are looked for, in which order, and what is said of those that will not do. */
class NativeLoaderTest extends LoaderTest {
  private static final MemorySegment NONE = MemorySegment.NULL;

  @Test
  void aFileIsLoadedAndCallable() throws Exception {
    Path file = TinyLibrary.complete(folder, Abi.VERSION, "cpu");
    System.setProperty("fovea.native.cpu.path", file.toString());
    NativeLoader.Result result = NativeLoader.load("fovea_cpu");
    LoadReport report = result.report();
    NativeLibrary library = result.library().orElseThrow(() -> new AssertionError(report));
    assertEquals(
        new LoadReport.Library(file.toString(), "cpu", "9.9.9", "tiny"),
        report.library().orElseThrow());
    assertEquals("fovea_cpu", library.name());
    assertEquals("cpu", library.backend());
    assertEquals("9.9.9", library.version());
    assertEquals("tiny", library.build());
    assertEquals(file.toString(), library.origin());
    assertEquals(1, report.attempts().size());
    assertEquals(Abi.OK, library.deviceQuery(0, NONE));
    assertEquals(Abi.INVALID_ARGUMENT, library.deviceQuery(5, NONE));
    assertEquals(Abi.UNSUPPORTED, library.plan(NativeAttention.OPERATION, NONE, NONE, NONE));
    assertEquals(Abi.DEVICE_ERROR, library.prepare(NONE));
  }

  /** Argument i is address 4096 + i; the library says which one it did not get. */
  @Test
  void runPassesEveryArgumentInItsPlace() throws Exception {
    Path file = TinyLibrary.complete(folder, Abi.VERSION, "cpu");
    System.setProperty("fovea.native.cpu.path", file.toString());
    NativeLibrary library = NativeLoader.load("fovea_cpu").library().orElseThrow();
    assertEquals(Abi.DEVICE_LOST, run(library, Abi.FORWARD));
    assertEquals(6, run(library, Abi.BACKWARD));
  }

  private static int run(NativeLibrary library, int pass) {
    NativeOperation operation = NativeAttention.OPERATION;
    int operands = operation.operands(pass).size();
    MemorySegment[] a = new MemorySegment[operands + 5];
    for (int i = 0; i < a.length; i++) {
      a[i] = MemorySegment.ofAddress(4096 + i);
    }
    int end = 2 + operands;
    return operation.run(
        pass,
        library.runFunction(operation, pass),
        a[0],
        a[1],
        Arrays.copyOfRange(a, 2, end),
        a[end],
        a[end + 1],
        a[end + 2]);
  }

  @Test
  void theFileGoesBeforeTheFolder() throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("file"), Abi.VERSION, "cpu");
    Path other = TinyLibrary.complete(folder.resolve("folder"), Abi.VERSION, "cpu");
    System.setProperty("fovea.native.path", other.getParent().toString());
    assertEquals(other.toString(), load().origin());
    System.setProperty("fovea.native.cpu.path", file.toString());
    assertEquals(file.toString(), load().origin());
  }

  @Test
  void theFolderGoesBeforeArtifactsAndTheseBeforeTheLibraryPath() throws Exception {
    Path system = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", "/nowhere::" + system.getParent());
    assertEquals(system.toString(), load().origin());

    Path artifact = TinyLibrary.complete(folder.resolve("artifact"), Abi.VERSION, "cpu");
    offer(artifact, sha256(artifact));
    assertEquals("test artifact", load().origin());

    Path preferred = TinyLibrary.complete(folder.resolve("preferred"), Abi.VERSION, "cpu");
    System.setProperty("fovea.native.path", preferred.getParent().toString());
    assertEquals(preferred.toString(), load().origin());
  }

  @Test
  void aFolderWithoutTheLibraryIsPassedOver() throws Exception {
    Path system = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", system.getParent().toString());
    System.setProperty("fovea.native.path", folder.toString());
    LoadReport report = NativeLoader.load("fovea_cpu").report();
    assertTrue(report.library().isPresent());
    assertTrue(
        report.toString().contains("-Dfovea.native.path=" + folder + ": has no libfovea_cpu.so"),
        report.toString());
  }

  @Test
  void aMissingFolderEndsTheSearch() throws Exception {
    Path system = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", system.getParent().toString());
    System.setProperty("fovea.native.path", folder.resolve("absent").toString());
    assertRefused("there is no such folder");
  }

  @Test
  void aMissingFileEndsTheSearch() throws Exception {
    Path system = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", system.getParent().toString());
    System.setProperty("fovea.native.cpu.path", folder.resolve("absent.so").toString());
    assertRefused("there is no such file");
  }

  @Test
  void garbageIsRefusedInTheWordsOfTheLinker() throws IOException {
    Path file = Files.writeString(folder.resolve("garbage.so"), "this is no library\n".repeat(9));
    System.setProperty("fovea.native.cpu.path", file.toString());
    assertRefused("invalid ELF header");
  }

  @Test
  void aLibraryWithMissingSymbolsIsRefused() throws Exception {
    Path file = TinyLibrary.compile(folder, "int fovea_something_else(void) { return 1; }");
    System.setProperty("fovea.native.cpu.path", file.toString());
    assertRefused("not a Fovea library: it has no symbol fovea_abi_version");
  }

  @Test
  void aLibraryThatNeedsAnAbsentOneIsRefusedWithItsName() throws Exception {
    Path file =
        TinyLibrary.compile(
            folder, "int absent_function(void); int f() { return absent_function(); }");
    System.setProperty("fovea.native.cpu.path", file.toString());
    assertRefused("undefined symbol: absent_function");
  }

  @Test
  void anotherAbiVersionIsRefusedWithBothVersions() throws Exception {
    int other = Abi.VERSION + 41;
    Path file = TinyLibrary.complete(folder, other, "cpu");
    System.setProperty("fovea.native.cpu.path", file.toString());
    assertRefused(
        "the library has ABI version %d, these bindings need %d: take both from one release"
            .formatted(other, Abi.VERSION));
  }

  @Test
  void anotherBackendIsRefused() throws Exception {
    Path file = TinyLibrary.complete(folder, Abi.VERSION, "cuda");
    System.setProperty("fovea.native.cpu.path", file.toString());
    assertRefused("it is backend \"cuda\", not fovea_cpu");
  }

  @Test
  void aDamagedArtifactIsRefusedAndLeavesNothing() throws Exception {
    Path artifact = TinyLibrary.complete(folder, Abi.VERSION, "cpu");
    offer(artifact, "0".repeat(64));
    assertRefused("damaged: SHA-256 is " + sha256(artifact) + ", expected " + "0".repeat(64));
    assertEquals(List.of(), temporary());
  }

  @Test
  void anArtifactThatCannotBeReadIsRefused() throws Exception {
    offer(folder.resolve("absent"), "0".repeat(64));
    assertRefused("NoSuchFileException");
  }

  @Test
  void nothingAnywhereIsExplainedPlaceByPlace() {
    System.setProperty("java.library.path", folder.toString());
    LoadReport report = NativeLoader.load("fovea_absent").report();
    assertTrue(report.library().isEmpty());
    assertEquals(
        """
        fovea_absent could not be loaded:
          -Dfovea.native.absent.path: not set
          -Dfovea.native.path: not set
          artifacts: none on the class path or module path has fovea_absent
          java.library.path=%s: has no libfovea_absent.so\
        """
            .formatted(folder),
        report.toString());
  }

  @Test
  void theCopyOfAnArtifactIsPrivateAndGoesAfterwards() throws Exception {
    byte[] bytes = {1, 2, 3};
    NativeLocator locator = new BytesLocator(bytes);
    Path file;
    try (ExtractedLibrary extracted = ExtractedLibrary.of(locator)) {
      file = extracted.file();
      assertEquals(3, Files.size(file));
      assertEquals(
          "rwx------",
          PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())));
      try (ExtractedLibrary second = ExtractedLibrary.of(locator)) {
        assertFalse(second.file().getParent().equals(file.getParent()), "each copy has its folder");
      }
    }
    assertFalse(Files.exists(file.getParent()));
  }

  @Test
  void loadingAnArtifactLeavesNothing() throws Exception {
    Path artifact = TinyLibrary.complete(folder, Abi.VERSION, "cpu");
    offer(artifact, sha256(artifact));
    NativeLibrary library = load();
    assertEquals(List.of(), temporary());
    assertEquals(Abi.UNSUPPORTED, library.plan(NativeAttention.OPERATION, NONE, NONE, NONE));
  }

  private record BytesLocator(byte[] bytes) implements NativeLocator {
    @Override
    public String library() {
      return "fovea_cpu";
    }

    @Override
    public InputStream open() {
      return new ByteArrayInputStream(bytes);
    }

    @Override
    public String sha256() {
      try {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError(e);
      }
    }

    @Override
    public String describe() {
      return "bytes";
    }
  }
}
