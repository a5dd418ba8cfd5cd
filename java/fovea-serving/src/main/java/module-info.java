/** Serving of language models: caches of keys and values in pages that sequences share. */
module dev.fovea.serving {
  requires transitive dev.fovea.nn;
  requires transitive dev.fovea;

  exports dev.fovea.serving;
}
