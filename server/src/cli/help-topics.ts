const environment = `\
ENVIRONMENT: what a compiled artifact depends on

A cache works where torch, CUDA, the GPU's compute capability and Triton are
those that it was made with, and a few labels agree: gpu (the device), isa
(what the CPU can do), py (Python's version), arch. Together they are the
environment. Its canonical text is the environment key:

  torch-2.11.0_cuda-13.0_cc-9.0_triton-3.6.0_arch-x86-64_gpu-nvidia-h200_...

  compilecache env          the environment here, and where each part is from
  compilecache env --key    its key alone
  compilecache env --json   for --environment-file of the other commands

load, save, info and ls find the environment as env does: they ask the Python
of --python or COMPILE_CACHE_PYTHON, else python3 on the PATH, else python;
pip's compilecache asks the Python that it is installed in. torch is not
imported. Where there is no such Python, one of these names the environment:

  --key KEY                 an environment key; or the cache key (12 digits) of
                            a cache that is stored, as compilecache ls lists it
  --environment-file FILE   what env --json printed, elsewhere perhaps
  --torch VERSION           and --cuda, --cc, --triton, --label NAME=VALUE

A load that finds nothing says what is different in the closest cache.
`;

const store = `\
STORE: where the caches of all machines are

A store is a directory that machines share, or a bucket with a prefix:

  --store file:///mnt/shared/compile_cache
  --store s3://models/compile-cache

or the variable COMPILE_CACHE_STORE. Each cache is one archive in it,
NAMESPACE/cache_CACHEKEY.latest.tar.zst, which tar and zstd can read. The
namespace says whose cache it is, such as a model; --namespace or
COMPILE_CACHE_NAMESPACE, and default if none is named. On disk its folder has a
~ and a small letter for each capital, and a ~ and a code for other characters
than a-z 0-9 . _ -: what meta-llama/Llama-3.1-8B names lies in the folder
meta-llama~2f~llama-3.1-8~b. Commands take the name, not the folder.

The daemon (compilecache serve) reads and writes it for others. These commands
work on it without a daemon, and take --store, too:

  compilecache verify                     read all of it, change nothing
  compilecache gc --gc-max-bytes 50GB     show what would go
  compilecache gc --gc-max-bytes 50GB --delete
  compilecache sign --signing-key team.key

More: docs/operations.md, docs/object-store.md, docs/file-systems.md
`;

const keys = `\
KEYS: three kinds of them

Environment key: the text that names an environment (compilecache help
environment). Cache key: the first 12 digits of its SHA-256; file names have it.

Signing keys: a cache is code that its loader runs, so a team may sign its
caches, and have its daemons load no others.

  compilecache keygen team          writes team.key and team.pub
  COMPILE_CACHE_SIGNING_KEY=team.key    of daemons that save; keep it secret
  COMPILE_CACHE_TRUSTED_KEYS=team.pub   of daemons that load
  compilecache sign --signing-key team.key     what is stored already
  compilecache verify --trusted-keys team.pub  what a load would take

More: docs/security.md
`;

/** Texts of `compilecache help TOPIC`, of lines of 80 characters at most. */
export const helpTopics: Readonly<Record<string, string>> = { environment, store, keys };
