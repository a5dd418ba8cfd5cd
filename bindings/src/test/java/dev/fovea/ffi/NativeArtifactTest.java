package dev.fovea.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Linker;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of an artifact that is damaged or gone, and of a platform that none is for. */
class NativeArtifactTest extends LoaderTest {

  @Test
  void aLibraryBesideItsLocatorIsFound() throws Exception {
    Path beside = offer(BesideLocator.class);
    Path file = TinyLibrary.complete(beside, Abi.VERSION, "cpu");
    Files.writeString(beside.resolve("libfovea_cpu.so.sha256"), sha256(file) + "\n");
    assertTrue(load().origin().startsWith("file:" + folder), load().origin());
  }

  @Test
  void withoutItsHashItIsRefused() throws Exception {
    TinyLibrary.complete(offer(BesideLocator.class), Abi.VERSION, "cpu");
    assertRefused("no libfovea_cpu.so.sha256 beside dev.fovea.ffi.BesideLocator");
    assertEquals(List.of(), temporary());
  }

  @Test
  void withoutTheLibraryItIsRefused() throws Exception {
    Files.writeString(offer(BesideLocator.class).resolve("libfovea_cpu.so.sha256"), "0");
    assertRefused("no libfovea_cpu.so beside dev.fovea.ffi.BesideLocator");
    assertEquals(List.of(), temporary());
  }

  @ParameterizedTest
  @ValueSource(strings = {"library", "open", "sha256"})
  void aJarThatIsClosedMeanwhileIsRefused(String method) throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("file"), Abi.VERSION, "cpu");
    offer(file, sha256(file));
    System.setProperty(FileLocator.BROKEN, method);
    assertRefused("zip file closed");
    assertEquals(List.of(), temporary());
  }

  @Test
  void aLocatorThatCannotSayWhereItIsHasItsName() throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("file"), Abi.VERSION, "cpu");
    offer(file, sha256(file));
    System.setProperty(FileLocator.BROKEN, "describe");
    assertEquals("dev.fovea.ffi.FileLocator", load().origin());
  }

  @Test
  void aLocatorWhoseClassIsDamagedIsRefused() throws Exception {
    Files.writeString(offer(BesideLocator.class).resolve("BesideLocator.class"), "no class");
    assertRefused("java.lang.ClassFormatError");
  }

  @Test
  @Timeout(60)
  void aClassLoaderThatCannotBeAskedIsAskedNoMore() throws Exception {
    Thread.currentThread()
        .setContextClassLoader(
            new ArtifactLoader(folder.toUri().toURL()) {
              @Override
              public Enumeration<URL> getResources(String name) throws IOException {
                throw new IOException("the application was stopped");
              }
            });
    assertRefused("Error locating configuration files");
  }

  @Test
  void aFullFolderMayPassAndADamagedArtifactDoesNot() throws Exception {
    Path file = TinyLibrary.complete(folder.resolve("file"), Abi.VERSION, "cpu");
    offer(file, sha256(file));
    Path full = folder.resolve("full");
    System.setProperty("java.io.tmpdir", full.toString());
    assertTrue(assertRefused("cannot be copied to " + full + ": ").mayPass());
    Files.createDirectory(full);
    assertFalse(NativeLoader.load("fovea_cpu").report().mayPass());
    assertEquals("test artifact", load().origin());

    System.setProperty(FileLocator.HASH, "0");
    assertFalse(assertRefused("damaged").mayPass());
  }

  @Test
  void aMissingArtifactIsNamed() {
    assertEquals(
        "what is missing: the artifact dev.fovea:fovea-natives with the classifier linux-x86_64"
            + " (there are natives for Linux with glibc on x86-64, linux-x86_64, and on AArch64,"
            + " linux-aarch64, only)",
        NativeLoader.load("fovea_cpu").report().attempts().getLast().toString());
    assertTrue(
        NativeLoader.load("fovea_cuda")
            .report()
            .toString()
            .contains(" classifier linux-x86_64-cuda13 "));
    assertTrue(
        NativeLoader.load("fovea_sim")
            .report()
            .attempts()
            .getLast()
            .toString()
            .contains("`native/build.sh release --target fovea_sim` builds"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Windows 11/amd64", "Mac OS X/aarch64", "Linux/riscv64", "/"})
  void aPlatformWithoutNativesIsNamed(String platform) {
    Linker.nativeLinker(); // which asks os.arch for calling conventions
    System.setProperty("os.name", platform.split("/", 2)[0]);
    System.setProperty("os.arch", platform.split("/", 2)[1]);
    for (int use = 0; use < 2; use++) {
      assertEquals(
          "platform: this is "
              + platform.replace("/", " on ")
              + ", and there are natives for Linux with glibc on x86-64, linux-x86_64, and on"
              + " AArch64, linux-aarch64, only",
          NativeLoader.load("fovea_cpu").report().attempts().getLast().toString());
    }
  }

  @Test
  void muslIsNoGlibc() {
    assertEquals(
        "this is Linux on amd64 without glibc, and there are natives for Linux with glibc on"
            + " x86-64, linux-x86_64, and on AArch64, linux-aarch64, only",
        new Platform("Linux", "amd64", false).refusal().orElseThrow());
    assertTrue(Platform.current().glibc());
  }

  /** A library of one's own for another platform is none of the loader's business. */
  @Test
  void aPlatformWithoutNativesTakesALibraryThatLoads() throws Exception {
    Linker.nativeLinker(); // which asks os.arch for calling conventions
    System.setProperty("os.arch", "riscv64");
    Path file = TinyLibrary.complete(folder.resolve("system"), Abi.VERSION, "cpu");
    System.setProperty("java.library.path", file.getParent().toString());
    assertEquals(file.toString(), load().origin());
  }
}
