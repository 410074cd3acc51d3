/*
 * Linked into the static enclave in place of glibc's own.
 *
 * A static glibc program still carries dlopen and the whole dynamic loader: message catalogues can
 * load character-set converters, and Rust's standard library asks dlsym for newer functions. The
 * enclave has no catalogue, no converter and no shared object. Here both questions are answered the
 * way they would end anyway, "there is none", which both askers handle; so dlopen and what calls it
 * are not linked.
 */

void *__gconv_find_shlib(const char *name)
{
    (void)name;
    return 0;
}

void __gconv_release_shlib(void *handle)
{
    (void)handle;
}

void *dlsym(void *handle, const char *name)
{
    (void)handle;
    (void)name;
    return 0;
}
